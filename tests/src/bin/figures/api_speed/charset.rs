//! What bringing a name into the characters of JIS X 0208 costs.

use std::hint::black_box;
use std::time::Instant;

use daemon::formats::charset::{Charset, Encoder};

use crate::{figure, median};

/// Of 14 characters: such as pass unchanged, and such as are reduced or lost.
const NAMES: [(&str, &str); 2] =
    [("plain", "山田　太郎　ヤマダ　タロウ　"), ("reduced", "髙﨑　𠮷德　草彅　栁瀨　濵邉")];
const TIMES: u32 = 20_000;

/// Prints `api.reduce_<kind>_us` for one name.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub fn measure() {
    let encoder = Encoder::new(Charset::JisX0208);
    for (kind, name) in NAMES {
        let mut bytes = Vec::new();
        let rounds = (0..5).map(|_| {
            let begun = Instant::now();
            for _ in 0..TIMES {
                bytes.clear();
                black_box(encoder.encode(black_box(name), &mut bytes));
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
        });
        figure(&format!("api.reduce_{kind}_us"), format!("{:.2}", median(rounds.collect())));
    }
}
