"""What of FFmpeg may touch a foreign file: containers and codecs by name, and no protocol but files.

A playlist that calls itself .mp4 must not make us read other files or the network: hls, dash, concat and the like are
not among the containers.
"""

# FFmpeg's names of what editors put on timelines: movies, animated GIF, and single pictures.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mxf,mpegts,mpeg,mpegvideo,asf,flv,ogg,dv,gxf,nut,ivf,h264,hevc,gif,"
    "image2,png_pipe,jpeg_pipe,tiff_pipe,exr_pipe,dpx_pipe,bmp_pipe,webp_pipe,j2k_pipe,sgi_pipe,psd_pipe,apng,"
    "mp3,wav,aac,flac,aiff,w64,caf,au,wv"  # sound alone: a performance; as a clip, opened to say that it has no picture
)

# Its decoders of what cameras, phones, editors and renderers write. The seldom used ones, of games and of the last
# century, are where FFmpeg's defects are found.
_DELIVERY = "h264,hevc,vvc,libdav1d,av1,vp8,vp9,libvpx,libvpx-vp9,theora,vc1,wmv1,wmv2,wmv3,flv,vp6,vp6f,gif,apng"
_TAPE_AND_DISC = "mpeg1video,mpeg2video,mpegvideo,mpeg4,msmpeg4v2,msmpeg4,h263,h263p,dvvideo"
_EDITING = (
    "prores,prores_raw,dnxhd,cfhd,hap,dxv,notchlc,speedhq,hqx,hq_hqa,aic,qtrle,rpza,ffv1,ffvhuff,huffyuv,utvideo,"
    "magicyuv,mjpeg,mjpegb,ljpeg,v210,v210x,v308,v408,v410,r210,r10k,rawvideo"
)
_PICTURES = "png,mjpeg,jpegls,jpeg2000,bmp,tiff,targa,sgi,psd,exr,dpx,webp,libwebp,pam,ppm"
_SOUND = (
    "aac,aac_latm,aac_fixed,ac3,eac3,dca,truehd,mp1,mp2,mp3,mp1float,mp2float,mp3float,vorbis,opus,libopus,flac,alac,"
    "wavpack,wmav1,wmav2,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,pcm_s8,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,"
    "pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,pcm_dvd,pcm_bluray"
)
CODECS = frozenset(",".join((_DELIVERY, _TAPE_AND_DISC, _EDITING, _PICTURES, _SOUND)).split(","))

OPEN_OPTIONS = {
    "format_whitelist": CONTAINERS,
    "codec_whitelist": ",".join(sorted(CODECS)),
    "protocol_whitelist": "file",
}
"""For `av.open`."""
