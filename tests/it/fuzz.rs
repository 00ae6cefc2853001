//! Every fuzz target over its committed corpus and some seconds of seeded mutation; libFuzzer runs by `make fuzz`.

use std::time::Duration;

use harness::fuzz_targets::{TARGETS, mutate};

/// Time for each target, beside the other tests.
const EACH: Duration = Duration::from_secs(15);

#[test]
fn no_target_breaks_a_promise_over_its_corpus_and_mutations_of_it() {
    for target in TARGETS {
        let outcome = mutate::run(target, 1, EACH);
        let failures: Vec<_> =
            outcome.failures.iter().map(|input| data_encoding::HEXUPPER.encode(input)).collect();
        assert!(failures.is_empty(), "{}: {failures:#?}", target.name);
        assert!(outcome.runs > mutate::corpus(target).len() as u64, "{} was not mutated", target.name);
    }
}

/// The wrappers of libFuzzer and the list of targets are the same.
#[test]
fn every_target_has_its_binary_and_a_small_corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let wrappers = std::fs::read_dir(folder.join("fuzz_targets")).expect("the wrappers").count();
    assert_eq!(wrappers, TARGETS.len());
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest");
    let mut size = 0;
    for target in TARGETS {
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
        let wrapper = folder.join("fuzz_targets").join(target.name).with_extension("rs");
        assert!(
            std::fs::read_to_string(wrapper).expect("a wrapper").contains(&format!("::{}(", target.name))
        );
        size += mutate::corpus(target).iter().map(Vec::len).sum::<usize>();
    }
    assert!(size < 100 * 1024, "the corpus has grown to {size} bytes: cargo fuzz cmin");
}
