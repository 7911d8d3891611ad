"""How full the GPUs are, asked of NVIDIA's driver when somebody looks at the metrics. Opens no GPU for computing.

A CUDA context in the server's own process would cost some hundred MB of the memory that it is to watch.
Tried against a fake of the driver's library; not seen on a GPU.
"""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class GpuMemory(Collector):
    """Used and whole memory of each GPU; nothing where there is no driver.

    Args:
        nvml: `pynvml`, or what stands in for it.
    """

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        try:
            nvml.nvmlInit()
            self._count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError:
            self._count = 0

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus' `Collector`."""
        family = GaugeMetricFamily(
            "diffava_gpu_memory_bytes", "Of each GPU, by all programs together", labels=("gpu", "kind")
        )
        for index in range(self._count):
            try:
                memory = self._nvml.nvmlDeviceGetMemoryInfo(self._nvml.nvmlDeviceGetHandleByIndex(index))
            except self._nvml.NVMLError:
                continue  # it fell off the bus, or is of a kind that shares the machine's memory
            family.add_metric((str(index), "used"), memory.used)
            family.add_metric((str(index), "total"), memory.total)
        yield family
