//! Numbers that name a facility, a person's insurance, or a person at this facility.

use super::eligibility::{Eligibility, Field};
use super::personal::Personal;

/// A value that breaks the format of an identifier; names the field and the rule, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid {
    /// The field, by its name in the API.
    pub field: &'static str,
    /// The rule it breaks, in Japanese, for the person who entered it.
    pub rule: &'static str,
}

/// Institution code (医療機関等コード, 機関コード): 10 digits: prefecture 2, fee table 1, institution 7.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstitutionCode(String);

impl InstitutionCode {
    /// Accepts exactly ten ASCII digits.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid { field: "institution_code", rule: "機関コードは数字10桁です" })
        }
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Inquiry number (照会番号): the facility's own number for a person, 1 to 50 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InquiryNumber(Personal);

impl InquiryNumber {
    /// Accepts 1 to 50 characters; blanks at the ends and control characters are refused, not trimmed.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let characters = text.chars().count();
        if !(1..=50).contains(&characters) {
            return Err(Invalid {
                field: "inquiry_number", rule: "照会番号は1文字以上50文字以内です"
            });
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(Invalid {
                field: "inquiry_number",
                rule: "照会番号の前後の空白と制御文字は使えません",
            });
        }
        Ok(Self(Personal::new(text)))
    }

    /// The number itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// The central system's own id of a result (UpstreamResultId, an assumption): 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamResultId(String);

impl UpstreamResultId {
    /// Accepts 1 to 64 visible ASCII characters.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                field: "upstream_result_id",
                rule: "結果の識別子は見える英数字と記号64文字以内です",
            })
        }
    }

    /// The id as received.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Insurance identifiers (保険者番号・記号・番号・枝番) of one person, as the central system keys inquiry numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InsuranceIdentifiers {
    /// Insurer number (保険者番号): 8 characters, padded on the left with spaces, never zeros.
    pub insurer_number: Personal,
    /// Symbol (記号): optional, up to 20 characters.
    pub symbol: Option<Personal>,
    /// Number (番号): up to 20 characters, leading zeros count.
    pub number: Personal,
    /// Branch (枝番): 2 digits; absent for 後期高齢者医療.
    pub branch: Option<Personal>,
}

impl InsuranceIdentifiers {
    /// Reads identifiers as a person or a receipt computer gives them. A shorter insurer number is padded on the left with
    /// spaces, as the central system writes it; nothing else is changed. Empty optional parts count as absent.
    pub fn parse(
        insurer_number: &str,
        symbol: Option<&str>,
        number: &str,
        branch: Option<&str>,
    ) -> Result<Self, Invalid> {
        let insurer = insurer_number.trim_start_matches(' ');
        if !(1..=8).contains(&insurer.len()) || !insurer.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid {
                field: "insurer_number", rule: "保険者番号は数字8桁以内です"
            });
        }
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let plain = |text: &str| {
            (1..=20).contains(&text.chars().count())
                && text.trim() == text
                && !text.chars().any(char::is_control)
        };
        let (symbol, branch) = (given(symbol), given(branch));
        if !symbol.as_deref().is_none_or(plain) {
            return Err(Invalid {
                field: "insured_card_symbol",
                rule: "記号は20文字以内で、前後の空白と制御文字は使えません",
            });
        }
        if !plain(number) {
            return Err(Invalid {
                field: "insured_identification_number",
                rule: "番号は1文字以上20文字以内で、前後の空白と制御文字は使えません",
            });
        }
        let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !branch.as_deref().is_none_or(two_digits) {
            return Err(Invalid { field: "insured_branch_number", rule: "枝番は数字2桁です" });
        }
        Ok(Self {
            insurer_number: Personal::new(format!("{insurer:>8}")),
            symbol: symbol.map(Personal::new),
            number: Personal::new(number),
            branch: branch.map(Personal::new),
        })
    }

    /// The identifiers of a result, if it carries an insurer number and a number.
    pub fn of(eligibility: &Eligibility) -> Option<Self> {
        Some(Self {
            insurer_number: eligibility.get(Field::InsurerNumber)?.clone(),
            symbol: eligibility.get(Field::InsuredCardSymbol).cloned(),
            number: eligibility.get(Field::InsuredIdentificationNumber)?.clone(),
            branch: eligibility.get(Field::InsuredBranchNumber).cloned(),
        })
    }

    /// One unambiguous byte string for keyed hashing: each part with its length before it.
    pub fn fingerprint(&self) -> Vec<u8> {
        let absent = Personal::new("");
        let parts = [
            &self.insurer_number,
            self.symbol.as_ref().unwrap_or(&absent),
            &self.number,
            self.branch.as_ref().unwrap_or(&absent),
        ];
        let mut bytes = Vec::new();
        for part in parts {
            let text = part.expose().as_bytes();
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(text);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn institution_codes_have_ten_digits() {
        assert_eq!(InstitutionCode::parse("1312345678").unwrap().as_str(), "1312345678");
        for text in ["", "131234567", "13123456789", "131234567x", "１３１２３４５６７８"] {
            assert!(InstitutionCode::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn inquiry_numbers_have_one_to_fifty_characters() {
        for text in ["1", "A-001", "カルテ１２３", &"あ".repeat(50)] {
            assert!(InquiryNumber::parse(text).is_ok(), "{text:?}");
        }
        for text in ["", " ", " 1", "1 ", "a\nb", "a\0", &"あ".repeat(51)] {
            assert!(InquiryNumber::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn identifiers_are_read_as_the_central_system_writes_them() {
        let read =
            |insurer, symbol, number, branch| InsuranceIdentifiers::parse(insurer, symbol, number, branch);
        let person = read("138990", Some("架国・０１２３"), "0045678", Some("00")).unwrap();
        assert_eq!(person.insurer_number.expose(), "  138990");
        assert_eq!(person, read("  138990", Some("架国・０１２３"), "0045678", Some("00")).unwrap());
        assert_eq!(read("39130001", Some(""), "1", Some("")), read("39130001", None, "1", None));
        for (insurer, symbol, number, branch, field) in [
            ("", None, "1", None, "insurer_number"),
            ("123456789", None, "1", None, "insurer_number"),
            ("１２３４５６", None, "1", None, "insurer_number"),
            ("123456", Some(" a"), "1", None, "insured_card_symbol"),
            ("123456", Some("123456789012345678901"), "1", None, "insured_card_symbol"),
            ("123456", None, "", None, "insured_identification_number"),
            ("123456", None, "1\n", None, "insured_identification_number"),
            ("123456", None, "1", Some("1"), "insured_branch_number"),
            ("123456", None, "1", Some("0x"), "insured_branch_number"),
        ] {
            assert_eq!(read(insurer, symbol, number, branch).unwrap_err().field, field);
        }
    }

    #[test]
    fn fingerprints_do_not_run_parts_together() {
        let person = |symbol: &str, number: &str| InsuranceIdentifiers {
            insurer_number: Personal::new("  123456"),
            symbol: Some(Personal::new(symbol)),
            number: Personal::new(number),
            branch: None,
        };
        assert_ne!(person("12", "3").fingerprint(), person("1", "23").fingerprint());
        assert_eq!(person("12", "3").fingerprint(), person("12", "3").fingerprint());
    }
}
