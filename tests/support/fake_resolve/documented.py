"""Blackmagic's documented scripting interface: each class's methods with their arguments, and the constants.

Names and arguments as `fusionscript-stubs` 21.0.0 has them; of a method with several forms what takes them all. The
conformance test compares what the fake really accepts with those stubs, so that this list cannot go stale unnoticed.
What the fake does not play raises `NotPlayed`: a hollow answer would be taken for Resolve's.
"""

from .world import NotPlayed

METHODS = {
    "Resolve": """
        Fusion(); GetMediaStorage(); GetProjectManager(); OpenPage(pageName); GetCurrentPage(); GetProductName();
        GetVersion(); GetVersionString(); LoadLayoutPreset(presetName); UpdateLayoutPreset(presetName);
        ExportLayoutPreset(presetName, presetFilePath); DeleteLayoutPreset(presetName); SaveLayoutPreset(presetName);
        ImportLayoutPreset(presetFilePath, presetName=None); Quit(); ImportRenderPreset(presetPath);
        ExportRenderPreset(presetName, exportPath); ImportBurnInPreset(presetPath);
        ExportBurnInPreset(presetName, exportPath); GetKeyframeMode(); SetKeyframeMode(keyframeMode);
        GetFairlightPresets(); DisableBackgroundTasksForCurrentResolveSession()
    """,
    "ProjectManager": """
        ArchiveProject(projectName, filePath, isArchiveSrcMedia=True, isArchiveRenderCache=True,
        isArchiveProxyMedia=False);
        CreateProject(projectName, mediaLocationPath=None); DeleteProject(projectName); LoadProject(projectName);
        GetCurrentProject(); SaveProject(); CloseProject(project); CreateFolder(folderName);
        DeleteFolder(folderName); GetProjectListInCurrentFolder(); GetProjectsInCurrentFolder();
        GetFolderListInCurrentFolder(); GetFoldersInCurrentFolder(); GotoRootFolder(); GotoParentFolder();
        GetCurrentFolder(); OpenFolder(folderName); ImportProject(filePath, projectName=None);
        ExportProject(projectName, filePath, withStillsAndLUTs=True); RestoreProject(filePath, projectName=None);
        GetCurrentDatabase(); GetDatabaseList(); SetCurrentDatabase(dbInfo); CreateCloudProject(cloudSettings);
        LoadCloudProject(cloudSettings); ImportCloudProject(filePath, cloudSettings);
        RestoreCloudProject(folderPath, cloudSettings)
    """,
    "Project": """
        GetMediaPool(); GetTimelineCount(); GetTimelineByIndex(idx); GetCurrentTimeline();
        SetCurrentTimeline(timeline); GetGallery(); GetName(); SetName(projectName); GetPresetList(); GetPresets();
        SetPreset(presetName); AddRenderJob(); DeleteRenderJob(jobId); DeleteRenderJobByIndex(idx);
        DeleteAllRenderJobs(); GetRenderJobList(); GetRenderJobs(); GetRenderPresetList(); GetRenderPresets();
        StartRendering(idxs); StopRendering(); IsRenderingInProgress(); LoadRenderPreset(presetName);
        SaveAsNewRenderPreset(presetName); DeleteRenderPreset(presetName); SetRenderSettings(settings);
        GetRenderJobStatus(idx); GetQuickExportRenderPresets(); RenderWithQuickExport(preset_name, param_dict);
        GetSetting(settingName); SetSetting(settingName, settingValue); GetRenderFormats();
        GetRenderCodecs(renderFormat); GetCurrentRenderFormatAndCodec();
        SetCurrentRenderFormatAndCodec(format, codec); GetCurrentRenderMode(); SetCurrentRenderMode(renderMode);
        GetRenderResolutions(format=None, codec=None); RefreshLUTList(); GetUniqueId();
        InsertAudioToCurrentTrackAtPlayhead(mediaPath, startOffsetInSamples, durationInSamples);
        LoadBurnInPreset(presetName); ExportCurrentFrameAsStill(filePath); GetColorGroupsList();
        AddColorGroup(groupName); DeleteColorGroup(colorGroup); ApplyFairlightPresetToCurrentTimeline(name);
        ResetIntellisearchAnalysis(); GenerateSpeech(speechGenerationSettings, timecode)
    """,
    "MediaStorage": """
        GetMountedVolumeList(); GetMountedVolumes(); GetSubFolderList(folderPath); GetSubFolders(folderPath);
        GetFileList(folderPath); GetFiles(folderPath); RevealInStorage(path); AddItemListToMediaPool(*items);
        AddItemsToMediaPool(*items); AddClipMattesToMediaPool(mediaPoolItem, paths, stereoEye=None);
        AddTimelineMattesToMediaPool(paths)
    """,
    "MediaPool": """
        GetRootFolder(); AddSubFolder(folder, name); RefreshFolders(); CreateEmptyTimeline(name);
        AppendToTimeline(clipInfo); CreateTimelineFromClips(name, *clips);
        ImportTimelineFromFile(filePath, importOptions); DeleteTimelines(timeline); GetCurrentFolder();
        SetCurrentFolder(folder); DeleteClips(clips); ImportFolderFromFile(filePath, sourceClipsPath='');
        DeleteFolders(subfolders); MoveClips(clips, targetFolder); MoveFolders(folders, targetFolder);
        GetClipMatteList(mediaPoolItem); GetTimelineMatteList(folder); DeleteClipMattes(mediaPoolItem, paths);
        RelinkClips(mediaPoolItem, folderPath); UnlinkClips(mediaPoolItem); ImportMedia(clipInfo);
        ExportMetadata(fileName, clips); GetUniqueId(); CreateStereoClip(LeftMediaPoolItem, RightMediaPoolItem);
        AutoSyncAudio(MediaPoolItems, audioSyncSettings); GetSelectedClips(); SetSelectedClip(mediaPoolItem)
    """,
    "Folder": """
        GetClipList(); GetClips(); GetName(); GetSubFolderList(); GetSubFolders(); GetIsFolderStale(); GetUniqueId();
        Export(filePath); TranscribeAudio(useSpeakerDetection=None); ClearTranscription();
        PerformAudioClassification(); ClearAudioClassification(); RemoveMotionBlur(deblurOption);
        AnalyzeForIntellisearch(identifyFaces, isBetterMode); AnalyzeForSlate(markerColor)
    """,
    "MediaPoolItem": """
        GetName(); SetName(name); GetMetadata(metadataType=None); SetMetadata(*metadata);
        GetThirdPartyMetadata(metadataType=None); SetThirdPartyMetadata(metadata); GetMediaId();
        AddMarker(frameId, color, name, note, duration, customData=None); GetMarkers();
        GetMarkerByCustomData(customData); UpdateMarkerCustomData(frameId, customData); GetMarkerCustomData(frameId);
        DeleteMarkersByColor(color); DeleteMarkerAtFrame(frameNum); DeleteMarkerByCustomData(customData);
        AddFlag(color); GetFlagList(); GetFlags(); ClearFlags(color); GetClipColor(); SetClipColor(colorName);
        ClearClipColor(); GetClipProperty(propertyName=None); SetClipProperty(propertyName, propertyValue);
        LinkProxyMedia(proxyMediaFilePath); LinkFullResolutionMedia(fullResMediaPath); UnlinkProxyMedia();
        ReplaceClip(filePath); ReplaceClipPreserveSubClip(filePath); GetUniqueId();
        TranscribeAudio(useSpeakerDetection=None); ClearTranscription(); PerformAudioClassification();
        ClearAudioClassification(); GetAudioMapping(); GetMarkInOut(); SetMarkInOut(mark_in, mark_out, type='all');
        ClearMarkInOut(type='all'); MonitorGrowingFile(); RemoveMotionBlur(deblurOption);
        AnalyzeForIntellisearch(identifyFaces, isBetterMode); AnalyzeForSlate(markerColor)
    """,
    "Timeline": """
        GetName(); SetName(timelineName); GetStartFrame(); GetEndFrame(); SetStartTimecode(timecode);
        GetStartTimecode(); GetTrackCount(trackType); AddTrack(trackType, newTrackOptions);
        DeleteTrack(trackType, trackIndex); GetTrackSubType(trackType, trackIndex);
        SetTrackEnable(trackType, trackIndex, Bool); GetIsTrackEnabled(trackType, trackIndex);
        SetTrackLock(trackType, trackIndex, Bool); GetIsTrackLocked(trackType, trackIndex);
        DeleteClips(timelineItems, Bool); SetClipsLinked(timelineItems, Bool); GetItemListInTrack(trackType, index);
        GetItemsInTrack(trackType, index); AddMarker(frameId, color, name, note, duration, customData=None);
        GetMarkers(); GetMarkerByCustomData(customData); UpdateMarkerCustomData(frameId, customData);
        GetMarkerCustomData(frameId); DeleteMarkersByColor(color); DeleteMarkerAtFrame(frameNum);
        DeleteMarkerByCustomData(customData); GetCurrentTimecode(); SetCurrentTimecode(timecode);
        GetCurrentVideoItem(); GetCurrentClipThumbnailImage(); GetTrackName(trackType, trackIndex);
        SetTrackName(trackType, trackIndex, name); DuplicateTimeline(timelineName=None);
        CreateCompoundClip(timelineItems, clipInfo=None); CreateFusionClip(timelineItems);
        ImportIntoTimeline(filePath, importOptions=None); Export(fileName, exportType, exportSubtype);
        GetSetting(settingName); SetSetting(settingName, settingValue); InsertGeneratorIntoTimeline(generatorName);
        InsertFusionGeneratorIntoTimeline(generatorName); InsertFusionCompositionIntoTimeline();
        InsertOFXGeneratorIntoTimeline(generatorName); InsertTitleIntoTimeline(titleName);
        InsertFusionTitleIntoTimeline(titleName); GrabStill(); GrabAllStills(stillFrameSource); GetUniqueId();
        CreateSubtitlesFromAudio(autoCaptionSettings=None); DetectSceneCuts(); ConvertTimelineToStereo();
        GetNodeGraph(); AnalyzeDolbyVision(timelineItems=None, analysisType=None); GetMediaPoolItem();
        GetMarkInOut(); SetMarkInOut(mark_in, mark_out, type='all'); ClearMarkInOut(type='all');
        GetVoiceIsolationState(trackIndex); SetVoiceIsolationState(trackIndex, voiceIsolationState)
    """,
    "TimelineItem": """
        GetName(); SetName(name); GetDuration(subframe_precision); GetEnd(subframe_precision); GetSourceEndFrame();
        GetSourceEndTime(); GetFusionCompCount(); GetFusionCompByIndex(compIndex); GetFusionCompNameList();
        GetFusionCompNames(); GetFusionCompByName(compName); GetLeftOffset(subframe_precision);
        GetRightOffset(subframe_precision); GetStart(subframe_precision); GetSourceStartFrame();
        GetSourceStartTime(); SetProperty(propertyKey, propertyValue); GetProperty(propertyKey=None);
        AddMarker(frameId, color, name, note, duration, customData=None); GetMarkers();
        GetMarkerByCustomData(customData); UpdateMarkerCustomData(frameId, customData); GetMarkerCustomData(frameId);
        DeleteMarkersByColor(color); DeleteMarkerAtFrame(frameNum); DeleteMarkerByCustomData(customData);
        AddFlag(color); GetFlagList(); GetFlags(); ClearFlags(color); GetClipColor(); SetClipColor(colorName);
        ClearClipColor(); AddFusionComp(); ImportFusionComp(path); ExportFusionComp(path, compIndex);
        DeleteFusionCompByName(compName); LoadFusionCompByName(compName); RenameFusionCompByName(oldName, newName);
        AddVersion(versionName, versionType); GetCurrentVersion(); DeleteVersionByName(versionName, versionType);
        LoadVersionByName(versionName, versionType); RenameVersionByName(oldName, newName, versionType);
        GetVersionNameList(versionType); GetVersionNames(versionType); GetMediaPoolItem();
        GetStereoConvergenceValues(); GetStereoLeftFloatingWindowParams(); GetStereoRightFloatingWindowParams();
        GetNumNodes(); SetLUT(nodeIndex, lutPath); GetLUT(nodeIndex); SetCDL(cdlMap);
        AddTake(mediaPoolItem, startFrame=None, endFrame=None); GetSelectedTakeIndex(); GetTakesCount();
        GetTakeByIndex(idx); DeleteTakeByIndex(idx); SelectTakeByIndex(idx); FinalizeTake();
        CopyGrades(tgtTimelineItems); SetClipEnabled(Bool); GetClipEnabled(); UpdateSidecar(); GetUniqueId();
        LoadBurnInPreset(presetName); GetNodeLabel(nodeIndex); CreateMagicMask(mode); RegenerateMagicMask();
        Stabilize(); SmartReframe(); GetNodeGraph(layerIdx=None); GetColorGroup(); AssignToColorGroup(colorGroup);
        RemoveFromColorGroup(); ExportLUT(exportType, path); GetLinkedItems(); GetTrackTypeAndIndex();
        GetSourceAudioChannelMapping(); GetIsColorOutputCacheEnabled(); GetIsFusionOutputCacheEnabled();
        SetColorOutputCache(cache_value); SetFusionOutputCache(cache_value); GetVoiceIsolationState();
        SetVoiceIsolationState(voiceIsolationState); ResetAllNodeColors()
    """,
    "Gallery": """
        GetAlbumName(galleryStillAlbum); SetAlbumName(galleryStillAlbum, albumName); GetCurrentStillAlbum();
        SetCurrentStillAlbum(galleryStillAlbum); GetGalleryStillAlbums(); GetGalleryPowerGradeAlbums();
        CreateGalleryStillAlbum(); CreateGalleryPowerGradeAlbum()
    """,
    "GalleryStillAlbum": """
        GetStills(); GetLabel(galleryStill); SetLabel(galleryStill, label); ImportStills(filePaths);
        ExportStills(galleryStills, folderPath, filePrefix, format); DeleteStills(galleryStills)
    """,
    "GalleryStill": "",
    "Graph": """
        GetNumNodes(); SetLUT(nodeIndex, lutPath); GetLUT(nodeIndex); SetNodeCacheMode(nodeIndex, cache_value);
        GetNodeCacheMode(nodeIndex); GetNodeLabel(nodeIndex); GetToolsInNode(nodeIndex);
        SetNodeEnabled(nodeIndex, isEnabled); ApplyGradeFromDRX(path, gradeMode); ApplyArriCdlLut();
        ResetAllGrades()
    """,
    "ColorGroup": """
        GetName(); SetName(groupName); GetClipsInTimeline(timeline=None); GetPreClipNodeGraph();
        GetPostClipNodeGraph()
    """,
    "Fusion": "",
    "FusionComp": "",
}

GIVEN_CONSTANTS = {
    "KEYFRAME_MODE_ALL": 0,
    "KEYFRAME_MODE_COLOR": 1,
    "KEYFRAME_MODE_SIZING": 2,
    "CACHE_AUTO_ENABLED": -1,
    "CACHE_DISABLED": 0,
    "CACHE_ENABLED": 1,
    "AUDIO_SYNC_CHANNEL_AUTOMATIC": -1,
    "AUDIO_SYNC_CHANNEL_MIX": -2,
    "CLOUD_SYNC_DEFAULT": -1,
    "CLOUD_SYNC_DOWNLOAD_IN_QUEUE": 0,
    "CLOUD_SYNC_DOWNLOAD_IN_PROGRESS": 1,
    "CLOUD_SYNC_DOWNLOAD_SUCCESS": 2,
    "CLOUD_SYNC_DOWNLOAD_FAIL": 3,
    "CLOUD_SYNC_DOWNLOAD_NOT_FOUND": 4,
    "CLOUD_SYNC_UPLOAD_IN_QUEUE": 5,
    "CLOUD_SYNC_UPLOAD_IN_PROGRESS": 6,
    "CLOUD_SYNC_UPLOAD_SUCCESS": 7,
    "CLOUD_SYNC_UPLOAD_FAIL": 8,
    "CLOUD_SYNC_UPLOAD_NOT_FOUND": 9,
    "CLOUD_SYNC_SUCCESS": 10,
}
# Their values are not documented; scripts must use the names.
OTHER_CONSTANTS = """
    AUTO_CAPTION_AUTO AUTO_CAPTION_DANISH AUTO_CAPTION_DUTCH AUTO_CAPTION_ENGLISH AUTO_CAPTION_FRENCH
    AUTO_CAPTION_GERMAN AUTO_CAPTION_ITALIAN AUTO_CAPTION_JAPANESE AUTO_CAPTION_KOREAN
    AUTO_CAPTION_MANDARIN_SIMPLIFIED AUTO_CAPTION_MANDARIN_TRADITIONAL AUTO_CAPTION_NORWEGIAN
    AUTO_CAPTION_PORTUGUESE AUTO_CAPTION_RUSSIAN AUTO_CAPTION_SPANISH AUTO_CAPTION_SWEDISH
    AUTO_CAPTION_SUBTITLE_DEFAULT AUTO_CAPTION_TELETEXT AUTO_CAPTION_NETFLIX AUTO_CAPTION_LINE_SINGLE
    AUTO_CAPTION_LINE_DOUBLE CLOUD_SETTING_PROJECT_NAME CLOUD_SETTING_PROJECT_MEDIA_PATH CLOUD_SETTING_IS_COLLAB
    CLOUD_SETTING_SYNC_MODE CLOUD_SETTING_IS_CAMERA_ACCESS CLOUD_SYNC_NONE CLOUD_SYNC_PROXY_ONLY
    CLOUD_SYNC_PROXY_AND_ORIG AUDIO_SYNC_MODE AUDIO_SYNC_CHANNEL_NUMBER AUDIO_SYNC_RETAIN_EMBEDDED_AUDIO
    AUDIO_SYNC_RETAIN_VIDEO_METADATA AUDIO_SYNC_WAVEFORM AUDIO_SYNC_TIMECODE DLB_BLEND_SHOTS EXPORT_AAF
    EXPORT_DRT EXPORT_EDL EXPORT_FCP_7_XML EXPORT_FCPXML_1_8 EXPORT_FCPXML_1_9 EXPORT_FCPXML_1_10
    EXPORT_HDR_10_PROFILE_A EXPORT_HDR_10_PROFILE_B EXPORT_TEXT_CSV EXPORT_TEXT_TAB EXPORT_DOLBY_VISION_VER_2_9
    EXPORT_DOLBY_VISION_VER_4_0 EXPORT_DOLBY_VISION_VER_5_1 EXPORT_OTIO EXPORT_NONE EXPORT_AAF_NEW
    EXPORT_AAF_EXISTING EXPORT_CDL EXPORT_SDL EXPORT_MISSING_CLIPS EXPORT_LUT_17PTCUBE EXPORT_LUT_33PTCUBE
    EXPORT_LUT_65PTCUBE EXPORT_LUT_PANASONICVLUT MARKER_BLUE MARKER_CYAN MARKER_GREEN MARKER_YELLOW MARKER_RED
    MARKER_PINK MARKER_PURPLE MARKER_FUCHSIA MARKER_ROSE MARKER_LAVENDER MARKER_SKY MARKER_MINT MARKER_LEMON
    MARKER_SAND MARKER_COCOA MARKER_CREAM SUBTITLE_LANGUAGE SUBTITLE_CAPTION_PRESET SUBTITLE_CHARS_PER_LINE
    SUBTITLE_LINE_BREAK SUBTITLE_GAP EXPORT_ALE EXPORT_ALE_CDL
""".split()  # noqa: SIM905  easier to compare with the stubs


def documented(played):
    """Class decorator: the methods of the documented class of that name that `played` does not define itself."""
    signatures = [one.strip() for one in METHODS[played.__name__].replace("\n", " ").split(";") if one.strip()]
    for signature in signatures:
        name = signature.partition("(")[0]
        if not hasattr(played, name):
            setattr(played, name, _unplayed(played.__name__, name, signature))
    return played


def _unplayed(class_name, name, signature):
    """A method of that signature that says that it is not played; made from text, so that it has the arguments."""
    arguments = signature[len(name) + 1 : -1]
    source = "def {0}(self{1}):\n    raise NotPlayed({2!r})\n".format(
        name, ", " + arguments if arguments else "", "{}.{}".format(class_name, name)
    )
    made = {"NotPlayed": NotPlayed}
    exec(source, made)
    return made[name]
