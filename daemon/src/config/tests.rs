use super::*;

const EXAMPLE: &str = include_str!("../../../deploy/config.example.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("shikakud.toml"))
}

fn default_of<T: Default>(_: &T) -> T {
    T::default()
}

#[test]
fn the_example_is_a_whole_configuration_with_the_defaults_it_names() {
    let config = parse(EXAMPLE).unwrap();
    let defaults = ApiConfig::default();
    assert_eq!((config.api.listen, config.api.tls), (defaults.listen, defaults.tls));
    assert_eq!(config.collect.every_minutes, CollectSection::default().every_minutes);
    assert_eq!(config.log.filter, LogSection::default().filter);
    let (log, defaults) = (&config.log, LogSection::default());
    assert_eq!(
        (&log.file, log.file_mib, log.keep_files),
        (&defaults.file, defaults.file_mib, defaults.keep_files)
    );
    assert_eq!(config.metrics.enabled, MetricsSection::default().enabled);
    assert_eq!(config.store.ballast_mib, default_ballast_mib());
    assert_eq!(config.store.low_water_mib, default_low_water_mib());
    assert_eq!(config.audit.keep_years, AuditSection::default().keep_years);
    assert_eq!(config.audit.anchor_file, AuditSection::default().anchor_file);
    assert_eq!(config.upstream.institution_code, config.institution_code);
    let (paths, defaults) = (&config.upstream.paths, default_of(&config.upstream.paths));
    assert_eq!(
        (
            &paths.auth,
            &paths.challenge,
            &paths.confirm,
            &paths.results,
            &paths.inquiry_number,
            &paths.announcements
        ),
        (
            &defaults.auth,
            &defaults.challenge,
            &defaults.confirm,
            &defaults.results,
            &defaults.inquiry_number,
            &defaults.announcements
        )
    );
    assert_eq!(paths.card_use_registration, defaults.card_use_registration);
    let (timeouts, defaults) = (config.upstream.timeouts, default_of(&config.upstream.timeouts));
    assert_eq!(
        (timeouts.connect_ms, timeouts.total_ms, timeouts.results_ms),
        (defaults.connect_ms, defaults.total_ms, defaults.results_ms)
    );
    assert_eq!(timeouts.registration_ms, defaults.registration_ms);
}

#[test]
fn a_value_that_breaks_its_rule_is_refused_by_name() {
    for (from, to, key) in [
        ("1312345678", "131234567", "institution_code"),
        ("\"key/master.key\"", "\"credential:../key\"", "store.master_key_file"),
        #[cfg(unix)]
        ("\"key/master.key\"", "\"dpapi:key/master.dpapi\"", "store.master_key_file"),
        ("127.0.0.1:8787", "0.0.0.0:8787", "api.listen"),
        ("keep_years = 5", "keep_years = 0", "audit.keep_years"),
        ("id = \"uketsuke-1\"", "id = \"受付\"", "terminals.id"),
        ("every_minutes = 5", "every_minutes = 1441", "collect.every_minutes"),
        ("file_mib = 10", "file_mib = 0", "log.file_mib"),
        ("keep_files = 5", "keep_files = 0", "log.keep_files"),
        (
            "account = \"link-account\"",
            "institution_code = \"9999999999\"\naccount = \"x\"",
            "upstream.institution_code",
        ),
        ("filter = \"info\"", "filter = \"inof\"", "log.filter"),
    ] {
        let error = parse(&EXAMPLE.replace(from, to)).unwrap_err();
        assert!(matches!(error, ConfigError::Value { key: named, .. } if named == key), "{key}: {error}");
    }
}

#[test]
fn an_unknown_key_and_a_wrong_type_are_refused_with_their_place() {
    for (from, to, place) in [
        ("filter = ", "fliter = ", "log"),
        ("connect_ms = 5000", "connect_ms = \"5 s\"", "upstream.timeouts.connect_ms"),
        ("mode = \"production\"", "mode = \"test\"", "mode"),
    ] {
        let error = parse(&EXAMPLE.replace(from, to)).unwrap_err();
        assert!(
            matches!(&error, ConfigError::Form { key, .. } if key.starts_with(place)),
            "{place}: {error}"
        );
    }
}

#[test]
fn a_master_key_may_be_a_credential_whose_name_is_no_path() {
    let mut config = parse(&EXAMPLE.replace("key/master.key", "credential:master-key")).unwrap();
    config.resolve_paths(Path::new("/etc/shikaku-bridge"), None);
    assert_eq!(config.store.credential(), Some("master-key"));
    assert_eq!(parse(EXAMPLE).unwrap().store.credential(), None);
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let mut config = parse(EXAMPLE).unwrap();
    config.upstream.client_certificate_file = "credential:client.pem".into();
    config.upstream.totp_secret_file = "/elsewhere/totp".into();
    let (base, credentials) = (Path::new("/etc/shikaku-bridge"), Path::new("/run/credentials/shikakud"));
    config.resolve_paths(base, Some(credentials));
    assert_eq!(config.store.directory, Path::new("/etc/shikaku-bridge/data"));
    assert_eq!(config.upstream.client_key_file, Path::new("/etc/shikaku-bridge/secrets/client-key.pem"));
    assert_eq!(config.upstream.totp_secret_file, Path::new("/elsewhere/totp"));
    let certificate = &config.upstream.client_certificate_file;
    assert_eq!(certificate, Path::new("/run/credentials/shikakud/client.pem"));
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    for (from, to, said) in [
        ("filter = ", "fliter = ", "「filter」ではありませんか"),
        ("every_minutes = ", "every_minute = ", "「every_minutes」ではありませんか"),
        ("[collect]", "[colect]", "「collect」ではありませんか"),
        ("low_water_mib = ", "xyzzy = ", "ここに書けるのは directory、master_key_file、"),
    ] {
        let error = parse(&EXAMPLE.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// Everything in the example that is commented out because it has no default, taken in.
fn example_with_everything() -> String {
    let is_key = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let taken_in = |line: &'static str| match line.strip_prefix("# ") {
        Some(rest) if is_key(rest) || (rest.starts_with('[') && rest.ends_with(']')) => rest,
        _ => line,
    };
    EXAMPLE.lines().map(taken_in).collect::<Vec<_>>().join("\n")
}

/// The example names every key that the program knows, and what is commented out is right as well.
#[test]
fn every_key_stands_in_the_example_and_every_key_of_the_example_is_one() {
    let everything = example_with_everything();
    let config = parse(&everything).unwrap();
    assert!(config.lan.is_some() && config.page.is_some() && !config.folders.is_empty());
    assert!(config.log.file.is_some() && config.upstream.proxy.is_some());
    let mut sections = vec![("\n".to_owned(), String::new())];
    for line in everything.lines().filter(|line| line.starts_with('[')) {
        sections.push((format!("\n{line}\n"), line.to_owned()));
    }
    for (place, section) in sections {
        let text = everything.replacen(&place, &format!("{place}no_such_key = 1\n"), 1);
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        let (_, known) = unknown::unknown_field(&error).unwrap_or_else(|| panic!("{section}: {error}"));
        let begin = everything.find(&place).unwrap() + place.len();
        let own = everything[begin..].split("\n[").next().unwrap();
        for key in known {
            let stands = own.contains(&format!("{key} = "))
                || everything.contains(&format!("\n[{key}]"))
                || everything.contains(&format!("\n[[{key}]]"))
                || everything.contains(&format!("[{}.{key}]", section.trim_matches(['[', ']'])));
            // Set from the one at the top.
            assert!(stands || (section == "[upstream]" && key == "institution_code"), "{section} {key}");
        }
    }
}
