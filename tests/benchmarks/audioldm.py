"""Time and memory of audioldm-s at its real size through the whole server, against diffusers' own pipeline.

    python tests/benchmarks/audioldm.py [--folder FOLDER] [--steps 20] [--seconds 10.24] [--only stock|ours]

Both compute with the same random weights on this machine, one after the other, each in processes of its own: what is
measured depends on the weights' sizes alone. `FOLDER` keeps them (1.2 GB, made in a minute) for the next time. The
stock pipeline (`AudioLDMPipeline`, float32, DDIM) reads a prompt; ours reads the same prompt, then the prompt and the
pictures that an editor would send. Ours at its defaults is 20 steps of DPM-Solver++; the stock run of 200 steps that it
is held against is extrapolated from the steps that ran, and the table says so. Seconds of the processor are printed
too, since other work on the machine moves them least. Memory is the high-water mark of resident memory. Linux only.
Two minutes on two cores; `--steps 3` for a look. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `support`

from support.random_audioldm import write_random_audioldm

PROMPT = "a dog barks twice, then footsteps on gravel"
STOCK_STEPS = 200  # what AudioLDM's own command line runs
WANTED = {"same_steps": 0.65, "defaults_of_200": 0.1, "peak_gb": 1.6}
DIFFAVA = (sys.executable, "-c", "from diffava.cli import main; main()")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the random weights are, or are to be kept")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.24)
    parser.add_argument("--only", choices=["stock", "ours"])
    parser.add_argument("--as-stock", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_stock:
        print(json.dumps(stock(arguments.folder, arguments.steps, arguments.seconds)))
        return
    with tempfile.TemporaryDirectory(prefix="diffava-") as scratch:
        folder = arguments.folder or Path(scratch) / "audioldm-s"
        if not folder.exists():
            write_random_audioldm(folder)
        rows = {}
        if arguments.only != "ours":
            rows["stock"] = stock_in_its_process(folder, arguments.steps, arguments.seconds)
        if arguments.only != "stock":
            rows |= ours(folder, arguments.steps, arguments.seconds, Path(scratch))
    report(rows, arguments.steps)


def report(rows: dict[str, dict], steps: int) -> None:
    print(f"{'':24}{'s':>8}{'processor s':>13}{'s a step':>10}{'peak GB':>9}{'of stock':>10}{'of 200 steps':>14}")
    stock_row = rows.get("stock")
    for name, row in rows.items():
        if stock_row is not None:
            row["of_stock"] = round(row["s"] / stock_row["s"], 3)
            row["of_stock_processor"] = round(row["processor_s"] / stock_row["processor_s"], 3)
            whole = stock_row["s"] + (STOCK_STEPS - steps) * stock_row["step_s"]
            row["of_200_extrapolated"] = round(row["s"] / whole, 3)
        print(
            f"{name:24}{row['s']:8.1f}{row['processor_s']:13.1f}{row.get('step_s', 0):10.2f}{row['peak_gb']:9.2f}"
            f"{row.get('of_stock', 0):10.2f}{row.get('of_200_extrapolated', 0):14.3f}"
        )
    print("200 steps of the stock pipeline are extrapolated from its steps above; nobody waited for them.")
    print(json.dumps({"benchmark": "audioldm", "steps": steps, "wanted": WANTED, "rows": rows}))


def stock_in_its_process(folder: Path, steps: int, seconds: float) -> dict:
    command = [sys.executable, __file__, "--as-stock", "--folder", str(folder)]
    command += ["--steps", str(steps), "--seconds", str(seconds)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(found.stdout.splitlines()[-1]))


def stock(folder: Path, steps: int, seconds: float) -> dict:
    """One sound of the stock pipeline, from the prompt to samples at 16 kHz."""
    warnings.simplefilter("ignore")  # it is deprecated as a whole; it stays what AudioLDM's inference is
    from diffusers import AudioLDMPipeline, DDIMScheduler

    from diffava.builders import load

    ours = load(folder)
    parts = ours.parts
    schedule = DDIMScheduler(**dict(ours.config.scheduler), clip_sample=False, set_alpha_to_one=False)
    pipeline = AudioLDMPipeline(
        vae=parts["vae"],
        text_encoder=parts["clap_text"],
        tokenizer=ours.features.text.tokenizer,
        unet=parts["unet"],
        scheduler=schedule,
        vocoder=parts["vocoder"],
    )
    pipeline.tokenizer.model_max_length = 512  # as the published tokenizer says: prompts are padded to it
    pipeline.set_progress_bar_config(disable=True)
    parts["video"].to("meta")  # what the stock pipeline does not have counts for nothing
    parts["alignment"].to("meta")
    ends: list[float] = []
    began, began_processor = time.perf_counter(), time.process_time()
    pipeline(
        PROMPT,
        audio_length_in_s=seconds,
        num_inference_steps=steps,
        guidance_scale=2.5,
        callback=lambda *_: ends.append(time.perf_counter()),
    )
    whole, processor = time.perf_counter() - began, time.process_time() - began_processor
    step_s = statistics.median(np.diff(ends)) if len(ends) > 1 else 0.0
    return {"s": whole, "processor_s": processor, "step_s": float(step_s), "peak_gb": peak_gb(os.getpid())}


def ours(folder: Path, steps: int, seconds: float, scratch: Path) -> dict[str, dict]:
    """The same through a server of its own, without pictures and with them; memory is the engine process's."""
    from diffava_resolve.client.grpc_client import GrpcClient
    from diffava_resolve.spec import FoleyJob

    token = scratch / "token"
    serve = [*DIFFAVA, "serve", "--listen", f"unix:{scratch / 'sock'}", "--token-file", str(token)]
    began = time.perf_counter()
    server = subprocess.Popen([*serve, "--model", str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()  # one line says that it answers
        print(f"the server answered after {time.perf_counter() - began:.1f} s")
        processes = descendants(server.pid)
        engine = max(processes, key=peak_gb)
        rows = {}
        with GrpcClient(f"unix:{scratch / 'sock'}", token.read_text().strip()) as client:
            frames_of = client.models()[0].frames
            for name, with_pictures in (("ours, prompt alone", False), ("ours, with pictures", True)):
                job = FoleyJob(PROMPT, round(seconds * 48_000), (1,), step_count=steps)
                pictures = random_pictures(frames_of, job.sample_count) if with_pictures else None
                steps_seen: list[float] = []

                def note(event: object, seen: list[float] = steps_seen) -> None:
                    if getattr(event, "stage", "") == "latent":
                        seen.append(time.perf_counter())

                before, start = processor_s(engine), time.perf_counter()
                samples = sum(len(block.samples) for block in client.generate(job, pictures, on_event=note))
                whole = time.perf_counter() - start
                assert samples == job.sample_count
                rows[name] = {
                    "s": whole,
                    "processor_s": processor_s(engine) - before,
                    "step_s": float(statistics.median(np.diff(steps_seen))),
                    "peak_gb": peak_gb(engine),
                    "peak_of_all_processes_gb": sum(peak_gb(pid) for pid in processes),
                }
        return rows
    finally:
        server.terminate()
        server.wait()


def random_pictures(frames_of, sample_count: int):
    rng = np.random.default_rng(0)
    for _ in range(frames_of.frame_count(sample_count)):
        yield rng.integers(0, 256, (1, frames_of.height_pixels, frames_of.width_pixels, 3), dtype=np.uint8)


def peak_gb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024 / 1e9


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descendants(root_pid: int) -> list[int]:
    """`root_pid` and every process below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [root_pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


if __name__ == "__main__":
    main()
