//! Reads a security descriptor in its text form (SDDL): who owns the object, and whom its access list lets in. Pure.

/// What of a descriptor matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Descriptor<'a> {
    /// The owner, as an abbreviation (`BA`) or a SID.
    pub(super) owner: Option<&'a str>,
    /// Everybody that an entry grants something to; `None`: there is no list, so that everybody may do everything.
    pub(super) granted: Option<Vec<&'a str>>,
}

impl<'a> Descriptor<'a> {
    /// Reads `O:…G:…D:…`; `None` if it is not of that form.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let owner = part(text, "O:").filter(|owner| !owner.is_empty());
        let Some(list) = part(text, "D:") else { return Some(Self { owner, granted: None }) };
        // Flags stand before the first entry; this one means that there is no list.
        let flags = list.split('(').next().unwrap_or_default();
        if flags.contains("NO_ACCESS_CONTROL") {
            return Some(Self { owner, granted: None });
        }
        let mut granted = Vec::new();
        for entry in list.split('(').skip(1) {
            let fields: Vec<_> = entry.split_once(')')?.0.split(';').collect();
            let [kind, _, _, _, _, trustee, ..] = fields.as_slice() else { return None };
            // Denials take away and let nobody in.
            if !matches!(*kind, "D" | "OD" | "XD") {
                granted.push(*trustee);
            }
        }
        Some(Self { owner, granted: Some(granted) })
    }

    /// Whether nobody is let in, and nobody owns it, but those.
    pub(super) fn is_only_for(&self, allowed: &[&str]) -> bool {
        self.granted.as_ref().is_some_and(|granted| granted.iter().all(|trustee| allowed.contains(trustee)))
    }
}

/// A part of the text, up to the next one.
fn part<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let begin = text.find(name)? + name.len();
    let rest = text.get(begin..)?;
    // A SID holds no colon, an entry only in conditions and resource attributes, which stand in brackets.
    let end = ["O:", "G:", "D:", "S:"].iter().filter_map(|next| rest.find(next)).min().unwrap_or(rest.len());
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "S-1-5-80-1-2-3-4-5";

    #[test]
    fn who_is_let_in_is_read_from_the_text() {
        let text = "O:BAG:DUD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-80-1-2-3-4-5)";
        let read = Descriptor::parse(text).unwrap();
        assert_eq!(read.owner, Some("BA"));
        assert!(read.is_only_for(&["SY", "BA", SERVICE]));
        assert!(!read.is_only_for(&["SY", "BA"]));
        let users = Descriptor::parse("O:BAD:AI(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)").unwrap();
        assert!(!users.is_only_for(&["SY", "BA"]));
        // A denial lets nobody in, and an empty list nobody at all.
        assert!(Descriptor::parse("O:SYD:P(D;;FA;;;WD)(A;;FA;;;SY)").unwrap().is_only_for(&["SY"]));
        assert!(Descriptor::parse("O:SYD:P").unwrap().is_only_for(&["SY"]));
    }

    #[test]
    fn no_list_means_everybody_and_what_is_no_descriptor_is_not_read() {
        for everybody in ["O:BA", "O:BAD:NO_ACCESS_CONTROL"] {
            assert!(!Descriptor::parse(everybody).unwrap().is_only_for(&["SY", "BA", "WD"]), "{everybody}");
        }
        for broken in ["D:(A;;FA", "D:(A;FA;SY)"] {
            assert_eq!(Descriptor::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn no_cut_makes_it_panic() {
        let text = "O:BAG:DUD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;S-1-5-80-1-2-3-4-5)S:AI";
        for end in 0..text.len() {
            let cut = Descriptor::parse(&text[..end]);
            assert!(cut.is_none_or(|read| read.granted.is_none_or(|granted| granted.len() <= 2)), "{end}");
        }
    }
}
