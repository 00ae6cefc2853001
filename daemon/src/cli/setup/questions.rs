//! The questions, one after another, in Japanese; an empty answer takes what stands in brackets.

use std::io::{BufRead, Write};
use std::path::Path;

use super::SetupError;
use super::answers::{
    Answers, PageAnswers, UpstreamAnswers, administrator, data_directory, master_key, production, secrets,
    terminal,
};
use crate::domain::identifiers::InstitutionCode;

/// Asks; where the configuration is there already only the administrator is still open. `readers` are the names of those that are
/// connected.
pub(super) fn ask(
    input: &mut dyn BufRead,
    out: &mut dyn Write,
    readers: &[String],
    configured: bool,
) -> Result<Answers, SetupError> {
    let mut person = Person { input, out };
    if configured {
        let administrator = person.answer("最初の管理者のアカウント名", &administrator(), is_word)?;
        return Ok(Answers { administrator, ..nothing_asked() });
    }
    person.say("資格ブリッジの設定を作ります。［ ］の中の値でよければ Enter だけを押してください。")?;
    let is_code = |text: &str| InstitutionCode::parse(text).map(drop).map_err(|invalid| invalid.rule);
    let institution_code = person.answer("機関コード（10桁）", "", is_code)?;
    let directory = person.answer("データのディレクトリ", &data_directory().to_string_lossy(), is_path)?;
    let key = person.answer(MASTER_KEY, &master_key().to_string_lossy(), is_path)?;
    let terminal = person.answer("受付の端末の名前（英数字と - _）", &terminal(), is_word)?;
    let reader = person.reader(readers)?;
    let page = person.page()?;
    let base_url = person.answer("オンライン資格確認等システムのURL（https://…）", "", is_https)?;
    let account = person.answer("レセコン連携アカウント", "", is_given)?;
    let has_password = person.yes("そのアカウントにパスワードが発行されていますか（y/n）", "n")?;
    let files = person.answer(
        "接続のファイル（証明書、鍵、認証アプリのシークレット）を置くディレクトリ",
        &secrets().to_string_lossy(),
        is_path,
    )?;
    let administrator = person.answer("最初の管理者のアカウント名", &administrator(), is_word)?;
    Ok(Answers {
        institution_code,
        mode: production(),
        directory: directory.into(),
        master_key_file: key.into(),
        terminal,
        reader,
        page,
        administrator,
        credentials_file: None,
        upstream: UpstreamAnswers { base_url, account, has_password, directory: files.into() },
    })
}

#[cfg(unix)]
const MASTER_KEY: &str =
    "マスター鍵（credential:名前 はsystemdが封印して保管。ファイルなら、データとは別の媒体のパス）";
#[cfg(windows)]
const MASTER_KEY: &str =
    "マスター鍵（dpapi:ファイル はWindowsが封印して保管。ファイルだけなら、データとは別の媒体のパス）";

fn nothing_asked() -> Answers {
    Answers {
        institution_code: String::new(),
        mode: production(),
        directory: data_directory(),
        master_key_file: master_key(),
        terminal: terminal(),
        reader: None,
        page: None,
        administrator: administrator(),
        credentials_file: None,
        upstream: UpstreamAnswers {
            base_url: String::new(),
            account: String::new(),
            has_password: false,
            directory: secrets(),
        },
    }
}

type Rule = Result<(), &'static str>;

fn is_given(text: &str) -> Rule {
    if text.is_empty() { Err("入力してください") } else { Ok(()) }
}

fn is_word(text: &str) -> Rule {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if (1..=64).contains(&text.len()) && plain {
        Ok(())
    } else {
        Err("英数字と - _ の64文字以内です")
    }
}

fn is_path(text: &str) -> Rule {
    let is_kept = text.starts_with("credential:") || text.starts_with("dpapi:");
    if Path::new(text).is_absolute() || is_kept {
        Ok(())
    } else {
        Err("/ で始まるパスを書いてください（Windows では C:\\ のようにドライブから）")
    }
}

fn is_https(text: &str) -> Rule {
    if text.starts_with("https://") {
        Ok(())
    } else {
        Err("https:// で始まるURLを書いてください")
    }
}

fn is_yes_or_no(text: &str) -> Rule {
    if ["y", "n", "はい", "いいえ"].contains(&text) {
        Ok(())
    } else {
        Err("y か n で答えてください")
    }
}

/// Whoever sits at the terminal.
struct Person<'a> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
}

impl Person<'_> {
    fn say(&mut self, text: &str) -> Result<(), SetupError> {
        writeln!(self.out, "{text}").map_err(|_| SetupError::Ended)
    }

    /// Asks until the answer keeps its rule.
    fn answer(
        &mut self,
        question: &str,
        usual: &str,
        rule: impl Fn(&str) -> Rule,
    ) -> Result<String, SetupError> {
        loop {
            let shown = if usual.is_empty() { String::new() } else { format!(" ［{usual}］") };
            let asked = write!(self.out, "{question}{shown}: ").and_then(|()| self.out.flush());
            asked.map_err(|_| SetupError::Ended)?;
            let mut line = String::new();
            let length = self.input.read_line(&mut line).map_err(|_| SetupError::Ended)?;
            if length == 0 {
                return Err(SetupError::Ended);
            }
            let line = line.trim();
            let answer = if line.is_empty() { usual } else { line };
            match rule(answer) {
                Ok(()) => return Ok(answer.to_owned()),
                Err(why) => self.say(&format!("  {why}"))?,
            }
        }
    }

    /// Only where several are connected must one be named.
    fn reader(&mut self, readers: &[String]) -> Result<Option<String>, SetupError> {
        match readers {
            [] => self
                .say("カードリーダーは見つかりませんでした。後でつなぐと、1台だけなら設定なしで使えます。")?,
            [only] => self.say(&format!("カードリーダー: {only}（1台だけなので設定は要りません）"))?,
            several => {
                for (number, reader) in several.iter().enumerate() {
                    self.say(&format!("  {}: {reader}", number + 1))?;
                }
                let chosen = |text: &str| {
                    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
                    number.and_then(|number| several.get(number - 1))
                };
                let rule = |text: &str| chosen(text).map(drop).ok_or("番号で答えてください");
                let number = self.answer("この端末のカードリーダー（番号）", "1", rule)?;
                return Ok(chosen(&number).cloned());
            }
        }
        Ok(None)
    }

    fn yes(&mut self, question: &str, usual: &str) -> Result<bool, SetupError> {
        let answer = self.answer(question, usual, is_yes_or_no)?;
        Ok(["y", "はい"].contains(&answer.as_str()))
    }

    fn page(&mut self) -> Result<Option<PageAnswers>, SetupError> {
        let used = self.yes("受付ページをこのパソコンのブラウザで使いますか（y/n）", "y")?;
        // The network needs a name and a certificate: docs/ja/page.md.
        Ok(used.then(|| PageAnswers { listen: "127.0.0.1:8789".to_owned(), hosts: Vec::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(lines: &str, readers: &[&str]) -> (Result<Answers, SetupError>, String) {
        let readers: Vec<String> = readers.iter().map(|&name| name.to_owned()).collect();
        let mut out = Vec::new();
        let answers = ask(&mut lines.as_bytes(), &mut out, &readers, false);
        (answers, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_wrong_answer_is_asked_for_again_and_an_empty_one_takes_the_usual() {
        let lines =
            "131234\n1312345678\n\n\n\n3\n2\nn\nhttp://x\nhttps://central.example/\nlink-account\ny\n\n\n";
        let (answers, said) = answered(lines, &["Reader A 00 00", "Reader B 01 00"]);
        let answers = answers.unwrap();
        assert_eq!(answers.institution_code, "1312345678");
        assert_eq!(answers.reader.as_deref(), Some("Reader B 01 00"));
        assert_eq!((answers.page.clone(), answers.administrator.as_str()), (None, "kanrisha"));
        for why in ["番号で答えてください", "https:// で始まる"] {
            assert!(said.contains(why), "{said}");
        }
        let text = answers.configuration();
        let config: crate::config::Config = toml::from_str(&text).unwrap();
        assert_eq!(config.terminals[0].reader.as_deref(), Some("Reader B 01 00"));
        let password = config.upstream.password_file.expect("one was issued");
        assert_eq!(password, Path::new("/etc/shikaku-bridge/secrets/upstream-password"));
    }

    #[test]
    fn an_input_that_ends_changes_nothing() {
        assert!(matches!(answered("1312345678\n", &[]).0, Err(SetupError::Ended)));
    }
}
