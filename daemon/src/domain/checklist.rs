//! モバイル端末等の安全管理に関するチェックリスト, in the words of the manual (運用マニュアル 1.80版, the last page).

/// Whose measure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// 端末上の対策.
    OnTheDevice,
    /// 管理上の対策.
    InTheFacility,
}

/// A line of the list. Records are kept by the place in [`Item::ALL`]: it is only ever added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// Operating system and software are kept up to date.
    Updates,
    /// Anti-virus software runs.
    Antivirus,
    /// Passwords and locks.
    Lock,
    /// A ledger of the devices.
    Ledger,
    /// Staff are trained.
    Training,
}

impl Item {
    /// Every line, in the manual's order.
    pub const ALL: &'static [Self] =
        &[Self::Updates, Self::Antivirus, Self::Lock, Self::Ledger, Self::Training];

    /// Whose measure it is.
    pub fn group(self) -> Group {
        match self {
            Self::Updates | Self::Antivirus | Self::Lock => Group::OnTheDevice,
            Self::Ledger | Self::Training => Group::InTheFacility,
        }
    }

    /// What the manual asks for.
    pub fn text(self) -> &'static str {
        match self {
            Self::Updates => {
                "OS やソフトウェアは、自動アップデート機能等により常に最新の状態に保ちましょう。また、提供元が確認できないソフトウェアをインストールしないようにしましょう。"
            }
            Self::Antivirus => {
                "ウイルス対策ソフトウェアを導入して定期的なウイルススキャンを行い、悪意のあるソフトウェアを検出・除去するようにしましょう。また、ウイルス対策ソフトウェアを常に最新版に更新しましょう。"
            }
            Self::Lock => {
                "端末に対して、推定されにくいパスワードやロック等を設定した上で、定期的に変更等するなどの対策を行いましょう。"
            }
            Self::Ledger => {
                "資格確認業務に用いる情報機器等について台帳で管理を行い、端末が、施設により許可された職員に使用され、上記の「端末上の対策」が講じられていることを定期的に確認しましょう。"
            }
            Self::Training => {
                "個人情報等の漏洩を防ぐため、端末等の安全管理について、職員に対して周知・教育訓練等を定期的に実施しましょう。"
            }
        }
    }
}

/// The lines that were ticked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done(Vec<Item>);

impl Done {
    /// Each line at most once, in the manual's order.
    pub fn new(ticked: &[Item]) -> Self {
        Self(Item::ALL.iter().copied().filter(|item| ticked.contains(item)).collect())
    }

    /// The lines.
    pub fn items(&self) -> &[Item] {
        &self.0
    }
}
