//! Every outcome of the doctor: its stable code, how bad it is, its words, and what to do.
//!
//! Codes and names of checks are a promise to programs that read `--json`: none changes its meaning, new ones may come.

/// How bad an outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, but not for long or not for all.
    Warning,
    /// Does not work.
    Problem,
    /// Could not be looked at, or not now; no fault of its own.
    Skipped,
    /// The configuration is not usable: nothing else can be looked at.
    Unusable,
}

impl State {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
            Self::Unusable => "unusable",
        }
    }

    /// The mark at the beginning of a line, six columns wide.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Ok => "[ OK ]",
            Self::Warning => "[注意]",
            Self::Problem | Self::Unusable => "[問題]",
            Self::Skipped => "[省略]",
        }
    }
}

/// Declares the outcomes: one block a check, one line a code.
macro_rules! outcomes {
    ($($check:ident $check_word:literal $title:literal {
        $($code:ident $word:literal $state:ident $message:literal $advice:literal;)+
    })+) => {
        /// What is looked at, in the order of the report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Check {
            $(#[doc = $title] $check,)+
        }

        impl Check {
            /// The stable name.
            pub fn word(self) -> &'static str {
                match self { $(Self::$check => $check_word,)+ }
            }

            /// Its name for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$check => $title,)+ }
            }
        }

        /// What can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = concat!("`", $word, "`: ", $title, " ", $message)] $code,)+)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$($(Self::$code,)+)+];

            /// The stable code.
            pub fn word(self) -> &'static str {
                match self { $($(Self::$code => $word,)+)+ }
            }

            /// The check it belongs to.
            pub fn check(self) -> Check {
                match self { $($(Self::$code => Check::$check,)+)+ }
            }

            /// How bad it is.
            pub fn state(self) -> State {
                match self { $($(Self::$code => State::$state,)+)+ }
            }

            /// What it means, for people.
            pub fn message(self) -> &'static str {
                match self { $($(Self::$code => $message,)+)+ }
            }

            /// What to do; empty if there is nothing to do.
            pub fn advice(self) -> &'static str {
                match self { $($(Self::$code => $advice,)+)+ }
            }
        }
    };
}

outcomes! {
    Config "config" "設定ファイル" {
        ConfigOk "config_ok" Ok
            "読めました"
            "";
        ConfigUnreadable "config_unreadable" Unusable
            "読めません"
            "ファイルの場所と、shikakudを動かすユーザーが読めることを確認してください。";
        ConfigInvalid "config_invalid" Unusable
            "正しくありません"
            "示された項目を、deploy/config.example.toml を参考に直してください。";
    }
    Secrets "secrets" "秘密のファイル" {
        SecretsPrivate "secrets_private" Ok
            "持ち主だけが読めます"
            "";
        SecretOpen "secret_open" Problem
            "ほかのユーザーも読めます"
            "chmod 600 で持ち主だけが読めるようにし、漏れたおそれがあれば作り直してください。";
        SecretMissing "secret_missing" Problem
            "見つかりません"
            "設定に書いた場所にファイルを置いてください。";
        SecretUnreadable "secret_unreadable" Problem
            "読めません"
            "持ち主を、shikakudを動かすユーザーにしてください（このコマンドも同じユーザーで実行します）。";
    }
    Daemon "daemon" "デーモン" {
        DaemonRunning "daemon_running" Ok
            "動いています"
            "";
        DaemonStopped "daemon_stopped" Ok
            "止まっています"
            "";
        DaemonUnknown "daemon_unknown" Skipped
            "動いているか分かりません"
            "shikakudを動かすユーザーで実行してください。";
    }
    Store "store" "保存領域" {
        StoreUsable "store_usable" Ok
            "開けます"
            "";
        StoreNew "store_new" Ok
            "まだありません。最初の起動で作ります"
            "";
        StoreInUse "store_in_use" Ok
            "動いているデーモンが使っています"
            "";
        StoreOfAnother "store_of_another" Skipped
            "サービスのユーザーのものなので、rootでは調べません"
            "サービスのユーザーで実行してください（sudo -u shikaku-bridge shikakud doctor --config …）。";
        StoreOtherMode "store_other_mode" Problem
            "本番用と練習用のデータが違います"
            "設定の mode を確かめ、別の store.directory を設定してください。";
        StoreKeyMissing "store_key_missing" Problem
            "鍵のファイルがありません"
            "保管してある写しから、マスター鍵と鍵束を同じ時点のもので元に戻してください。新しい鍵を作ってはいけません。";
        StoreKeyUnseen "store_key_unseen" Skipped
            "サービスの外では鍵を見られません"
            "デーモンを動かしてから（systemctl start shikaku-bridge）、もう一度実行してください。";
        StoreKeysMismatch "store_keys_mismatch" Problem
            "マスター鍵で鍵束を開けません"
            "マスター鍵と鍵束を、同じ時点の写しから元に戻してください。";
        StoreKeyNotApart "store_key_not_apart" Problem
            "マスター鍵がデータと同じ場所にあります"
            "store.master_key_file に別のディレクトリを設定し、鍵を移してください。";
        StoreNewer "store_newer" Problem
            "新しい版のshikakudのデータです"
            "データを作った版のshikakudに入れ替えてください。";
        StoreDamaged "store_damaged" Problem
            "データベースが壊れています"
            "データのディレクトリの写しを取ってから、バックアップから戻してください。";
        StoreRefused "store_refused" Problem
            "ファイルを安全に使えません"
            "持ち主を、shikakudを動かすユーザーにし、ディレクトリは chmod 700、ファイルは chmod 600 にしてください。";
        StoreFailed "store_failed" Problem
            "開けません"
            "ディスクと権限を確認してください。直らなければ、この表示を添えて問い合わせてください。";
    }
    Sqlite "sqlite" "SQLite" {
        SqliteOk "sqlite_ok" Ok
            "使える版です"
            "";
        SqliteOld "sqlite_old" Problem
            "保存した結果を失うおそれのある版です"
            "配布されているshikakudを使ってください。";
    }
    Disk "disk" "ディスク" {
        DiskOk "disk_ok" Ok
            "空きは十分です"
            "";
        DiskLow "disk_low" Warning
            "空きが少なくなりました"
            "不要なファイルを消してください。";
        DiskFull "disk_full" Problem
            "空きが store.low_water_mib より少なく、新しい資格確認を断っています"
            "すぐに不要なファイルを消してください。保存した結果は見られます。";
        DiskUnknown "disk_unknown" Warning
            "空きを調べられません"
            "store.directory の場所と権限を確認してください。";
    }
    Pcsc "pcsc" "PC/SCサービス" {
        PcscRunning "pcsc_running" Ok
            "動いています"
            "";
        PcscStopped "pcsc_stopped" Problem
            "答えません"
            "pcscdを入れて動かしてください（例: systemctl enable --now pcscd.socket）。";
        PcscHangs "pcsc_hangs" Problem
            "時間内に答えません"
            "リーダーを抜き差しし、直らなければpcscdを再起動してください（例: systemctl restart pcscd）。";
    }
    Access "access" "リーダーの使用権" {
        AccessGranted "access_granted" Ok
            "使えます"
            "";
        AccessRefused "access_refused" Problem
            "拒まれました"
            "polkitの規則で、shikakudを動かすユーザーに org.debian.pcsc-lite.access_pcsc と access_card を許してください。";
        AccessUnknown "access_unknown" Skipped
            "PC/SCサービスが答えないため調べていません"
            "";
    }
    Driver "driver" "ドライバー" {
        DriverWorks "driver_works" Ok
            "リーダーを認識しています"
            "";
        DriverNotListed "driver_not_listed" Problem
            "USBにつながったリーダーを認識しません"
            "リーダーのドライバーを入れてください（多くはlibccid、ソニーの一部の機種はメーカーのもの）。入れたらpcscdを再起動してください。";
        DriverMissing "driver_missing" Problem
            "PC/SCのドライバーが入っていません"
            "libccid、またはリーダーのメーカーのドライバーを入れ、pcscdを再起動してください。";
        DriverUnknown "driver_unknown" Skipped
            "認識されたリーダーがないため調べられません"
            "";
    }
    Reader "reader" "カードリーダー" {
        ReaderFound "reader_found" Ok
            "見つかりました"
            "";
        ReaderNone "reader_none" Problem
            "1台も見つかりません"
            "リーダーのケーブルを確認し、別のUSB端子に挿してください。";
        ReaderConfiguredMissing "reader_configured_missing" Problem
            "端末に設定したリーダーが見つかりません"
            "つないであるリーダーの名前を terminals の reader に書くか、そのリーダーをつないでください。";
        ReaderAmbiguous "reader_ambiguous" Warning
            "複数あり、どれを使うか端末に設定されていません"
            "terminals の reader に、使うリーダーの名前を書いてください。";
        ReaderDead "reader_dead" Problem
            "つながっていますが答えません"
            "リーダーを抜き差ししてください。直らなければ別のUSB端子に挿してください。";
        ReaderUnknown "reader_unknown" Skipped
            "PC/SCサービスを使えないため調べていません"
            "";
    }
    Card "card" "カード" {
        CardReadable "card_readable" Ok
            "読めます（暗証番号は使っていません）"
            "";
        CardAbsent "card_absent" Skipped
            "置かれていません"
            "カードも調べるには、マイナンバーカードを置いてもう一度実行してください。";
        CardNotAsked "card_not_asked" Skipped
            "--no-card のため調べていません"
            "";
        CardInUse "card_in_use" Skipped
            "ほかのプログラムが使っています"
            "動いているデーモンなら正常です。しばらくしてもう一度実行してください。";
        CardProtected "card_protected" Skipped
            "暗証番号なしでは読めないカードかスマートフォンです"
            "マイナンバーカードで試してください。";
        CardForeign "card_foreign" Problem
            "マイナンバーカードではありません"
            "ほかのカードを取り除き、マイナンバーカードを置いてください。";
        CardMute "card_mute" Problem
            "答えません"
            "カードの向きと、ほかのカードや金属が重なっていないことを確認し、置き直してください。";
        CardGone "card_gone" Warning
            "読む途中で外れました"
            "カードを動かさずに、もう一度実行してください。";
        CardUnusable "card_unusable" Problem
            "読めません"
            "カードを置き直してください。別のカードが読めれば、そのカードの故障です（市区町村の窓口へ）。";
        CardUnknown "card_unknown" Skipped
            "リーダーを使えないため調べていません"
            "";
    }
    CardCertificate "card_certificate" "カードの電子証明書" {
        CertificateValid "certificate_valid" Ok
            "有効期間内です"
            "";
        CertificateInGrace "certificate_in_grace" Warning
            "有効期限が切れていますが、資格確認に使える期間内です"
            "市区町村の窓口での更新を案内してください。";
        CertificatePast "certificate_past" Problem
            "有効期限が切れ、資格確認に使えません"
            "別のカードで試してください。患者のカードなら、資格確認書などで確認し、更新を案内してください。";
        CertificateNotYet "certificate_not_yet" Problem
            "有効期間がまだ始まっていません"
            "このPCの時計を確認してください。";
        CertificateUnreadable "certificate_unreadable" Problem
            "形が正しくありません"
            "別のカードで試してください。";
        CertificateUnknown "certificate_unknown" Skipped
            "カードを読んでいないため調べていません"
            "";
    }
    Folders "folders" "OQSフォルダー" {
        FolderUsable "folder_usable" Ok
            "使えます"
            "";
        FolderUsableShare "folder_usable_share" Ok
            "使えます（ネットワークの共有のため、一定の間隔で見に行きます）"
            "";
        FolderOpen "folder_open" Warning
            "このPCのだれでも読み書きできます"
            "フォルダーとその中の face・req・res・trash の権限を、shikakudとレセコンのユーザーだけに絞ってください（例: chmod 2770）。";
        FolderMissing "folder_missing" Problem
            "ありません"
            "フォルダーと、その中の face・req・res・trash を作ってください。共有の場合は、つながっているか確認してください。";
        FolderNoDirectory "folder_no_directory" Problem
            "フォルダーではないか、リンクです"
            "設定の folders.root に、リンクでないフォルダーを指定してください。";
        FolderReadOnly "folder_read_only" Problem
            "書けません"
            "shikakudを動かすユーザーに、読み書きの権限を与えてください。";
        FolderUnreadable "folder_unreadable" Problem
            "調べられません"
            "shikakudを動かすユーザーの権限と、共有の状態を確認してください。";
    }
    UpstreamFiles "upstream_files" "接続用のファイル" {
        UpstreamFilesOk "upstream_files_ok" Ok
            "読めました"
            "";
        UpstreamFilesInvalid "upstream_files_invalid" Problem
            "使えません"
            "示された設定とファイルを直してください。";
    }
    ClientCertificate "client_certificate" "接続用の証明書" {
        ClientCertificateValid "client_certificate_valid" Ok
            "有効期間内です"
            "";
        ClientCertificateEndsSoon "client_certificate_ends_soon" Warning
            "まもなく有効期限が切れます"
            "切れる前に、新しい証明書の発行を受けてください。";
        ClientCertificateEnded "client_certificate_ended" Problem
            "有効期限が切れています"
            "新しい証明書の発行を受け、client_certificate_file と client_key_file を入れ替えてください。";
        ClientCertificateNotYet "client_certificate_not_yet" Problem
            "有効期間がまだ始まっていません"
            "このPCの時計を確認してください。";
        ClientCertificateUnreadable "client_certificate_unreadable" Problem
            "形が正しくありません"
            "発行された証明書を client_certificate_file に置き直してください。";
        ClientCertificateUnknown "client_certificate_unknown" Skipped
            "接続用のファイルを読めないため調べていません"
            "";
    }
    Upstream "upstream" "中央システム" {
        UpstreamAnswers "upstream_answers" Ok
            "答えました（サインインはしていません）"
            "";
        UpstreamUnreachable "upstream_unreachable" Problem
            "つながりません"
            "ネットワーク、名前解決、ファイアウォールと、設定の upstream.base_url を確認してください。";
        UpstreamTimeout "upstream_timeout" Problem
            "時間内に答えません"
            "ネットワークを確認し、しばらくしてもう一度実行してください。";
        UpstreamServerUntrusted "upstream_server_untrusted" Problem
            "相手の証明書を信頼できません"
            "base_url の名前と、roots_file の内容を確認してください。覚えがなければ、つながずに問い合わせてください。";
        UpstreamServerOutOfDate "upstream_server_out_of_date" Problem
            "相手の証明書が有効期間の外です"
            "まずこのPCの時計を確認してください。正しければ、相手側の更新を待ってください。";
        UpstreamClientRefused "upstream_client_refused" Problem
            "接続用の証明書が受け入れられません"
            "client_certificate_file と client_key_file が、この機関に発行された有効なものか確認してください。";
        UpstreamTlsFailed "upstream_tls_failed" Problem
            "TLSの接続ができません"
            "tls_floor の設定と、途中で通信を書き換える機器がないことを確認してください。";
        UpstreamRenegotiation "upstream_renegotiation" Problem
            "相手がTLS 1.2の再ネゴシエーションを要求しています。対応していません"
            "設定では解決しません。この表示を添えて本ソフトウェアの提供元に問い合わせてください。";
        UpstreamGarbled "upstream_garbled" Problem
            "HTTPの答えになっていません"
            "base_url が正しいか確認してください。";
        UpstreamUnknown "upstream_unknown" Skipped
            "接続用のファイルを読めないため調べていません"
            "";
    }
    Clock "clock" "時計" {
        ClockOk "clock_ok" Ok
            "中央システムと合っています"
            "";
        ClockOff "clock_off" Problem
            "中央システムと30秒を超えてずれています"
            "NTPによる時刻合わせを有効にしてください。ずれているとサインインできません。";
        ClockUnknown "clock_unknown" Skipped
            "中央システムの時刻が得られないため比べていません"
            "";
    }
    Page "page" "受付ページ" {
        PageAnswers "page_answers" Ok
            "開けます"
            "";
        PageReady "page_ready" Ok
            "起動すると開けます"
            "";
        PageOff "page_off" Skipped
            "設定していません"
            "";
        PageAddressForeign "page_address_foreign" Problem
            "このパソコンにないアドレスで待ち受ける設定です"
            "page.listen をこのパソコンのアドレスにし、アドレスが変わらないようルーターで固定してください。";
        PagePortTaken "page_port_taken" Problem
            "ほかのプログラムがこのポートを使っています"
            "そのプログラムを止めるか、page.listen のポートを変えてください。";
        PagePortRefused "page_port_refused" Problem
            "このポートを使う権限がありません"
            "page.listen のポートを1024以上にしてください（例：8443）。443などを使う方法は docs/ja/page.md にあります。";
        PageNotListening "page_not_listening" Problem
            "動いているデーモンが待ち受けていません"
            "設定を変えたあとなら、shikakudを再起動してください。";
    }
    PageName "page_name" "受付ページの名前" {
        PageNameFound "page_name_found" Ok
            "このパソコンから引けます"
            "";
        PageNameUnknown "page_name_unknown" Warning
            "このパソコンからは引けません"
            "受付のパソコンで ping が通らなければ、avahi-daemon（.local）、ルーターのDNS、hostsファイルのどれかで引けるようにしてください（docs/ja/page.md）。";
        PageNameElsewhere "page_name_elsewhere" Warning
            "待ち受けるアドレスとは別のアドレスを指しています"
            "受付のパソコンでも同じなら、DNSかhostsファイルのアドレスを直してください。";
    }
    PageCertificate "page_certificate" "受付ページの証明書" {
        PageCertificateOwn "page_certificate_own" Ok
            "資格ブリッジの認証局の証明書です。自動で更新されます"
            "";
        PageCertificateValid "page_certificate_valid" Ok
            "有効期間内です"
            "";
        PageCertificateEndsSoon "page_certificate_ends_soon" Warning
            "まもなく有効期限が切れます"
            "page.certificate_file と page.key_file を新しいものに入れ替え、shikakudを再起動してください。";
        PageCertificateEnded "page_certificate_ended" Problem
            "有効期限が切れています"
            "page.certificate_file と page.key_file を新しいものに入れ替え、shikakudを再起動してください。";
        PageCertificateNotYet "page_certificate_not_yet" Problem
            "有効期間がまだ始まっていません"
            "このPCの時計を確認してください。";
        PageCertificateUnusable "page_certificate_unusable" Problem
            "使えません"
            "page.hosts の名前と、示されたファイルを確認してください。";
        PageCertificateDoubtful "page_certificate_doubtful" Problem
            "資格ブリッジの認証局を信頼するブラウザでも警告が出ます"
            "このPCの時計を確認し、shikakudを再起動してください。";
        PageCertificateUnknown "page_certificate_unknown" Skipped
            "デーモンが動いていないため調べていません"
            "";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_in_snake_case() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for word in words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
        }
    }

    #[test]
    fn whatever_is_wrong_comes_with_what_to_do_and_what_is_right_without() {
        for code in Code::ALL {
            match code.state() {
                State::Ok => assert_eq!(code.advice(), "", "{code:?}"),
                State::Warning | State::Problem | State::Unusable => {
                    assert!(code.advice().ends_with(['。', '）']), "{code:?}");
                }
                State::Skipped => {}
            }
            assert!(!code.message().is_empty() && !code.message().ends_with('。'), "{code:?}");
        }
    }
}
