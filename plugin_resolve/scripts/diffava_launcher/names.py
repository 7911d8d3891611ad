"""What of Resolve's interface a companion may call.

It is what the job needs, and nothing that closes or deletes projects, changes preferences or ends Resolve.
"""

ALLOWED = frozenset(
    name
    for line in (
        # Resolve, its projects and pages
        "Fusion GetMediaStorage GetProjectManager OpenPage GetCurrentPage GetProductName GetVersion GetVersionString",
        "GetCurrentProject GetProjectListInCurrentFolder SaveProject GetMediaPool GetTimelineCount GetTimelineByIndex",
        "GetCurrentTimeline SetCurrentTimeline GetName GetUniqueId GetSetting SetSetting GetSettings IsStudio",
        # media
        "GetMountedVolumeList GetFileList GetSubFolderList GetRootFolder AddSubFolder GetCurrentFolder",
        "SetCurrentFolder GetClipList GetIsFolderStale ImportMedia DeleteClips DeleteFolders MoveClips",
        "GetSelectedClips SetSelectedClip AppendToTimeline GetMediaId GetMetadata SetMetadata GetThirdPartyMetadata",
        "SetThirdPartyMetadata GetClipProperty SetClipProperty GetAudioMapping ReplaceClip GetClipColor SetClipColor",
        # the timeline
        "SetName GetStartFrame GetEndFrame GetStartTimecode GetTrackCount AddTrack DeleteTrack GetTrackSubType",
        "SetTrackName GetTrackName SetTrackEnable GetIsTrackEnabled SetTrackLock GetIsTrackLocked GetItemListInTrack",
        "SetClipsLinked AddMarker GetMarkers GetMarkerByCustomData UpdateMarkerCustomData GetMarkerCustomData",
        "DeleteMarkerAtFrame DeleteMarkerByCustomData GetCurrentTimecode SetCurrentTimecode GetCurrentVideoItem",
        "Export GetMarkInOut SetMarkInOut ClearMarkInOut ImportTimelineFromFile DeleteTimelines",
        # its clips
        "GetStart GetEnd GetDuration GetLeftOffset GetRightOffset GetSourceStartFrame GetSourceEndFrame",
        "GetSourceStartTime GetSourceEndTime GetMediaPoolItem GetTrackTypeAndIndex GetLinkedItems GetClipEnabled",
        "SetClipEnabled GetProperty SetProperty GetProperties SetProperties GetFades SetFades GetType GetSpeed AddTake",
        "GetTakesCount GetSelectedTakeIndex GetTakeByIndex SelectTakeByIndex DeleteTakeByIndex FinalizeTake",
        "GetSourceAudioChannelMapping GetTimeline",
        # the render queue
        "SetRenderSettings GetRenderFormats GetRenderCodecs SetCurrentRenderFormatAndCodec",
        "GetCurrentRenderFormatAndCodec GetCurrentRenderMode SetCurrentRenderMode LoadRenderPreset",
        "SaveAsNewRenderPreset DeleteRenderPreset GetRenderPresetList AddRenderJob DeleteRenderJob GetRenderJobList",
        "GetRenderJobStatus StartRendering StopRendering IsRenderingInProgress",
    )
    for name in line.split()
)
