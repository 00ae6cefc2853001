//! Mutation in process: seeded, without coverage, on the stable toolchain. Finds less than libFuzzer in the same time, but
//! runs in every test run.

#![expect(clippy::expect_used, reason = "a corpus that cannot be read is a defect of the tree")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::Target;

/// Longer inputs are cut: the longest file that a card can hold.
const LONGEST_INPUT: usize = 0x8000;

/// Values that parsers stumble over: lengths at their limits, tags, status bytes.
const SPECIAL: [u8; 16] =
    [0x00, 0x01, 0x02, 0x04, 0x10, 0x30, 0x61, 0x63, 0x67, 0x7F, 0x80, 0x81, 0x82, 0x90, 0xC0, 0xFF];

/// What running a target came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How many inputs were run.
    pub runs: u64,
    /// The inputs that broke a promise; empty if all is well.
    pub failures: Vec<Vec<u8>>,
}

/// The committed inputs of a target, in the order of their names.
pub fn corpus(target: Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("a readable input")).collect()
}

/// Runs a target over its corpus, then over mutations of it until `time` is over. The sequence of inputs depends on
/// `seed` alone; how far it comes, on the machine.
#[expect(clippy::disallowed_methods, reason = "a fuzzer is given an amount of real time")]
pub fn run(target: Target, seed: u64, time: Duration) -> Outcome {
    let end = Instant::now() + time;
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    let mut outcome = Outcome::default();
    for input in &corpus {
        try_one(target, input, &mut outcome);
    }
    let mut mutator = Mutator { random: ChaCha8Rng::seed_from_u64(seed) };
    // The first failures are enough, and a target that always fails would fill the memory.
    while outcome.failures.len() < 8 && Instant::now() < end {
        for _ in 0..64 {
            let input = mutator.next(&corpus);
            try_one(target, &input, &mut outcome);
        }
    }
    outcome
}

fn try_one(target: Target, input: &[u8], outcome: &mut Outcome) {
    outcome.runs += 1;
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        outcome.failures.push(input.to_vec());
    }
}

struct Mutator {
    random: ChaCha8Rng,
}

impl Mutator {
    /// A number below `bound`, 0 if there is none.
    fn below(&mut self, bound: usize) -> usize {
        let random = usize::try_from(self.random.next_u32()).unwrap_or_default();
        random.checked_rem(bound).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        let [byte, special, ..] = self.random.next_u32().to_be_bytes();
        if special < 96 { SPECIAL[usize::from(byte) % SPECIAL.len()] } else { byte }
    }

    /// One to eight changes to an input of the corpus.
    fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            self.change(&mut input, corpus);
        }
        input.truncate(LONGEST_INPUT);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        // The beginning decides most: half of the changes fall there.
        let near = if self.below(2) == 0 { input.len().min(24) } else { input.len() };
        let at = self.below(near + 1).min(input.len());
        match self.below(8) {
            0 | 1 => {
                let byte = self.byte();
                if let Some(slot) = input.get_mut(at) {
                    *slot = byte;
                }
            }
            2 => {
                let bit = self.below(8);
                if let Some(slot) = input.get_mut(at) {
                    *slot ^= 1 << bit;
                }
            }
            3 => {
                let byte = self.byte();
                input.insert(at, byte);
            }
            4 => {
                let length = self.below(16);
                let bytes: Vec<u8> = (0..length).map(|_| self.byte()).collect();
                input.splice(at..at, bytes);
            }
            5 => {
                let end = (at + 1 + self.below(16)).min(input.len());
                input.drain(at..end);
            }
            6 => input.truncate(at),
            _ => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(64)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
}
