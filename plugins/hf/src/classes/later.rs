//! Classes with images, videos or sound, which are not there yet.

/// Name and ids of each.
pub const CLASSES: &[(&str, &[&str])] = &[
    ("VisionArena", &["lmarena-ai/VisionArena-Chat", "lmarena-ai/vision-arena-bench-v0.1"]),
    ("MMVU", &["yale-nlp/MMVU"]),
    ("MultiModalConversation", &["lmms-lab/LLaVA-OneVision-Data"]),
    (
        "ASR",
        &[
            "openslr/librispeech_asr",
            "facebook/voxpopuli",
            "LIUM/tedlium",
            "edinburghcstr/ami",
            "speechcolab/gigaspeech",
            "kensho/spgispeech",
            "ArtificialAnalysis/Earnings22-Cleaned-AA",
            "D4nt3/esb-datasets-earnings22-validation-tiny-filtered",
        ],
    ),
    ("MMStar", &["Lin-Chen/MMStar"]),
];
