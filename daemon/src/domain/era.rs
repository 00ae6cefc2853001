//! Dates in the Japanese era (和暦), as the official app writes birth dates.

use jiff::civil::Date;

/// First day of each era (Gregorian), latest first. 明治 counts from its first day in the civil calendar of 1868; Japan
/// took the Gregorian calendar on 1873-01-01, and nobody alive was born before it.
const ERAS: [(&str, Date); 5] = [
    ("令和", Date::constant(2019, 5, 1)),
    ("平成", Date::constant(1989, 1, 8)),
    ("昭和", Date::constant(1926, 12, 25)),
    ("大正", Date::constant(1912, 7, 30)),
    ("明治", Date::constant(1868, 1, 25)),
];

/// A date in its era, without padding (昭和29年5月2日, 令和元年5月1日); `None` before 明治.
pub fn in_era(date: Date) -> Option<String> {
    let (era, first) = ERAS.iter().find(|(_, first)| *first <= date)?;
    let (month, day) = (date.month(), date.day());
    Some(match date.year() - first.year() + 1 {
        1 => format!("{era}元年{month}月{day}日"),
        year => format!("{era}{year}年{month}月{day}日"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_change_on_their_days() {
        for (date, written) in [
            (Date::constant(1954, 5, 2), "昭和29年5月2日"),
            (Date::constant(1868, 1, 25), "明治元年1月25日"),
            (Date::constant(1912, 7, 29), "明治45年7月29日"),
            (Date::constant(1912, 7, 30), "大正元年7月30日"),
            (Date::constant(1926, 12, 24), "大正15年12月24日"),
            (Date::constant(1926, 12, 25), "昭和元年12月25日"),
            (Date::constant(1989, 1, 7), "昭和64年1月7日"),
            (Date::constant(1989, 1, 8), "平成元年1月8日"),
            (Date::constant(2019, 4, 30), "平成31年4月30日"),
            (Date::constant(2019, 5, 1), "令和元年5月1日"),
            (Date::constant(2026, 11, 27), "令和8年11月27日"),
        ] {
            assert_eq!(in_era(date).as_deref(), Some(written), "{date}");
        }
        assert_eq!(in_era(Date::constant(1868, 1, 24)), None);
    }
}
