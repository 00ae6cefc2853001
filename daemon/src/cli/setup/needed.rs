//! What the set-up cannot make: the files that the operators hand out, and, under systemd, leave to write elsewhere.

#[cfg(unix)]
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::config::Config;

/// The files that must be there before the daemon starts, and are not.
pub(super) fn missing(config: &Config) -> Vec<&Path> {
    let upstream = &config.upstream;
    let always = [
        &upstream.totp_secret_file,
        &upstream.roots_file,
        &upstream.client_certificate_file,
        &upstream.client_key_file,
    ];
    let proxy = upstream.proxy.as_ref().and_then(|proxy| proxy.password_file.as_ref());
    let page = config.page.iter().flat_map(|page| [page.certificate_file.as_ref(), page.key_file.as_ref()]);
    let where_named = [upstream.password_file.as_ref(), proxy].into_iter().chain(page).flatten();
    // What systemd hands to the service (`credential:NAME`) cannot be seen from here.
    let is_here = |path: &&Path| !path.to_string_lossy().starts_with("credential:");
    let named = always.into_iter().chain(where_named).map(PathBuf::as_path);
    named.filter(is_here).filter(|path| !path.exists()).collect()
}

/// The directories of files that the daemon writes and that its unit (`ProtectSystem=strict`) does not let it write to: everything
/// outside of `StateDirectory=`.
#[cfg(unix)]
pub(super) fn beyond_the_unit(config: &Config) -> Vec<PathBuf> {
    const STATE: &str = "/var/lib/shikaku-bridge";
    let store = &config.store;
    let master = store.credential().is_none().then_some(&store.master_key_file);
    let files = [master, config.audit.anchor_file.as_ref(), config.log.file.as_ref()];
    let directories = files.into_iter().flatten().filter_map(|file| file.parent());
    let mut beyond: Vec<_> = directories
        .chain([store.directory.as_path()])
        .filter(|directory| !directory.starts_with(STATE))
        .map(Path::to_owned)
        .collect();
    beyond.sort();
    beyond.dedup();
    beyond
}

/// The lines that let it, for `systemctl edit`.
#[cfg(unix)]
pub(super) fn drop_in(directories: &[PathBuf]) -> String {
    let mut lines = String::from("[Service]\n");
    for directory in directories {
        // Quotes and backslashes are syntax there, and so is the percent sign.
        let plain = directory.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "ReadWritePaths=\"{plain}\"");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = "password_file = \"here\"\ntotp_secret_file = \"here\"\nroots_file = \"here\"\n\
        client_certificate_file = \"here\"\nclient_key_file = \"here\"\n";

    fn config(directory: &Path, store: &str, upstream: &str, more: &str) -> Config {
        let text = format!(
            "institution_code = \"1312345678\"\nmode = \"sandbox\"\n[store]\n{store}\n[[terminals]]\nid = \"a\"\n\
             [upstream]\nbase_url = \"https://localhost\"\naccount = \"a\"\n{upstream}\n{more}\n"
        );
        Config::from_text(&text, &directory.join("config.toml"), None).unwrap()
    }

    #[test]
    fn every_file_that_the_configuration_names_is_needed() {
        let directory = std::env::temp_dir().join(format!("shikaku-needed-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("here"), "").unwrap();
        let store = "directory = \"data\"\nmaster_key_file = \"key/master.key\"";
        let page = "[page]\nlisten = \"127.0.0.1:8443\"\nhosts = [\"a.local\"]\ncertificate_file = \"page.pem\"\nkey_file = \"page.key\"";
        let proxy =
            "[upstream.proxy]\nurl = \"http://proxy:8080\"\nuser = \"a\"\npassword_file = \"proxy-password\"";
        let found = |upstream: &str, more: &str| -> Vec<String> {
            let config = config(&directory, store, upstream, more);
            let names = missing(&config).into_iter().filter_map(Path::file_name);
            names.map(|name| name.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(found(FILES, ""), [""; 0]);
        assert_eq!(found(&FILES.replacen("here", "credential:password", 1), ""), [""; 0]);
        let password = FILES.replacen("\"here\"", "\"password\"", 1);
        assert_eq!(
            found(&password, &format!("{proxy}\n{page}")),
            ["password", "proxy-password", "page.pem", "page.key"]
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_lies_outside_the_state_directory_is_told_in_lines_for_the_unit() {
        let at = |store: &str, more: &str| beyond_the_unit(&config(Path::new("/etc"), store, FILES, more));
        let usual = "directory = \"/var/lib/shikaku-bridge\"\nmaster_key_file = \"credential:master-key\"";
        assert!(at(usual, "").is_empty());
        let inside = "[log]\nfile = \"/var/lib/shikaku-bridge/log/shikakud.log\"";
        assert!(at(usual, inside).is_empty());
        let elsewhere = "directory = \"/var/lib/shikaku-bridge\"\nmaster_key_file = \"/mnt/the \\\"100%\\\" key/master.key\"";
        let beyond = at(elsewhere, "[audit]\nanchor_file = \"/srv/anchor/audit.anchor\"");
        assert_eq!(
            drop_in(&beyond),
            "[Service]\nReadWritePaths=\"/mnt/the \\\"100%%\\\" key\"\nReadWritePaths=\"/srv/anchor\"\n"
        );
    }
}
