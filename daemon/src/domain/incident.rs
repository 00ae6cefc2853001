//! Incidents at the front desk (運用マニュアル 1.80版, chapter 2 and chapter 3, questions 8 and 9): what happened and what was done, in
//! fixed words, so that no record can name a patient.

use super::check::ResultId;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 別の方の情報が表示された: the result shows somebody else.
    AnotherPersonShown,
    /// 本人であることに疑いがある: the card may not be its holder's.
    IdentityInDoubt,
}

/// What was done. Records are kept by the place in [`Measure::ALL`]: it is only ever added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// オンライン資格確認等コールセンターに連絡した.
    CallCentreContacted,
    /// 本人確認書類の提示を求めた.
    DocumentsAskedFor,
    /// もう一度資格確認を行った.
    CheckedAgain,
    /// 資格確認書など、ほかの方法で確認した.
    ConfirmedOtherwise,
    /// 保険者や福祉事務所に確認した.
    InsurerAsked,
}

impl Measure {
    /// Every measure.
    pub const ALL: &'static [Self] = &[
        Self::CallCentreContacted,
        Self::DocumentsAskedFor,
        Self::CheckedAgain,
        Self::ConfirmedOtherwise,
        Self::InsurerAsked,
    ];
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// What happened.
    pub kind: Kind,
    /// The result that it is about, if there is one; its number names nobody.
    pub result: Option<ResultId>,
    /// What was done so far.
    pub measures: Vec<Measure>,
}
