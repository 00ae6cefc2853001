#![no_main]
libfuzzer_sys::fuzz_target!(
    // Making the synthetic authority's RSA keys takes longer than an input may.
    init: harness::fuzz_targets::certificate(include_bytes!("../corpus/certificate/synthetic-card")),
    |data: &[u8]| harness::fuzz_targets::certificate(data)
);
