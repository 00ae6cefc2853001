//! What the machine itself tells: modes of files, free space, readers on USB. Reads only.

use std::io;
use std::path::{Path, PathBuf};

use crate::system::{self, owned};

/// Where Linux lists USB devices and their interfaces.
pub(super) const USB: &str = "/sys/bus/usb/devices";

/// Where distributions put the drivers of PC/SC.
pub(super) const DRIVERS: [&str; 3] =
    ["/usr/lib/pcsc/drivers", "/usr/lib64/pcsc/drivers", "/usr/local/lib/pcsc/drivers"];

/// A file that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretFile {
    /// The key of the configuration that names it.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// How it was found.
    pub seen: SecretSeen,
}

/// How a file that holds a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretSeen {
    /// Its owner alone may use it, and we can.
    Private,
    /// Others may; its mode, zero where there are none (Windows).
    Open(u32),
    /// It is not there.
    Missing,
    /// We may not read it.
    Unreadable,
}

/// Looks at a file without reading it.
pub(super) fn secret_file(key: &'static str, path: &Path) -> SecretFile {
    let seen = match std::fs::metadata(path).and_then(|found| owned::open_to(path, &found)) {
        Ok(Some(mode)) => SecretSeen::Open(mode),
        Ok(None) if std::fs::File::open(path).is_ok() => SecretSeen::Private,
        Err(error) if error.kind() == io::ErrorKind::NotFound => SecretSeen::Missing,
        Ok(None) | Err(_) => SecretSeen::Unreadable,
    };
    SecretFile { key, path: path.to_owned(), seen }
}

/// Bytes that an ordinary user may still write below a directory, which need not exist yet.
pub(super) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let existing = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    system::free_bytes(existing)
}

/// The card readers on USB as `vendor:product`: everything of the smart card class, and the readers of Sony that have a
/// class of their own.
pub(super) fn usb_readers(devices: &Path) -> Vec<String> {
    const SMART_CARD: &str = "0b";
    const SONY_RC_S380: [&str; 2] = ["054c:06c1", "054c:06c3"];
    let line = |path: PathBuf| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let name = |device: &Path| {
        Some(format!("{}:{}", line(device.join("idVendor"))?, line(device.join("idProduct"))?))
    };
    let entries: Vec<_> =
        std::fs::read_dir(devices).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let mut found: Vec<_> = entries
        .iter()
        .filter_map(|entry| match line(entry.join("bInterfaceClass")) {
            // An interface is called after its device: `1-2:1.0` belongs to `1-2`.
            Some(class) if class == SMART_CARD => {
                let interface = entry.file_name()?.to_str()?;
                name(&devices.join(interface.split(':').next()?))
            }
            Some(_) => None,
            None => name(entry).filter(|name| SONY_RC_S380.contains(&name.as_str())),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether any driver is installed in one of the directories: a bundle for USB, or a library for serial readers.
pub(super) fn has_driver(directories: &[&str]) -> bool {
    let is_driver = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("bundle" | "so"))
    };
    let below = |directory: &Path| {
        std::fs::read_dir(directory).into_iter().flatten().flatten().any(|entry| is_driver(&entry.path()))
    };
    directories.iter().map(Path::new).any(|directory| below(directory) || below(&directory.join("serial")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    #[cfg(unix)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A directory of the test's own, removed at its end.
    struct Own(PathBuf);

    impl Own {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("shikaku-doctor-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, content: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_private_open_or_missing() {
        let own = Own::new("secret");
        let path = own.file("secret", "x");
        for (mode, expected) in [
            (0o600, SecretSeen::Private),
            (0o400, SecretSeen::Private),
            (0o640, SecretSeen::Open(0o640)),
            (0o604, SecretSeen::Open(0o604)),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret_file("key", &path).seen, expected, "{mode:o}");
        }
        assert_eq!(secret_file("key", &own.0.join("nowhere")).seen, SecretSeen::Missing);
    }

    #[test]
    fn the_space_of_a_directory_to_come_is_that_of_its_parent() {
        let own = Own::new("space");
        assert!(free_bytes(&own.0.join("not/yet/there")).unwrap() > 0);
    }

    #[test]
    fn readers_on_usb_are_known_by_class_and_by_name() {
        let own = Own::new("usb");
        for (device, vendor, product) in
            [("1-1", "054c", "0dc8"), ("1-2", "046d", "c31c"), ("1-3", "054c", "06c3")]
        {
            own.file(&format!("{device}/idVendor"), &format!("{vendor}\n"));
            own.file(&format!("{device}/idProduct"), &format!("{product}\n"));
        }
        for (interface, class) in [("1-1:1.0", "0b"), ("1-1:1.1", "0b"), ("1-2:1.0", "03"), ("1-3:1.0", "ff")]
        {
            own.file(&format!("{interface}/bInterfaceClass"), &format!("{class}\n"));
        }
        assert_eq!(usb_readers(&own.0), ["054c:06c3", "054c:0dc8"]);
        assert_eq!(usb_readers(&own.0.join("nowhere")), [""; 0]);
    }

    #[test]
    fn drivers_are_bundles_and_serial_libraries() {
        let own = Own::new("drivers");
        let directory = own.0.to_str().unwrap();
        assert!(!has_driver(&[directory, "/nowhere"]));
        let serial = own.file("serial/libifdvpcd.so", "");
        assert!(has_driver(&[directory]));
        fs::remove_file(serial).unwrap();
        own.file("ifd-ccid.bundle/Contents/Info.plist", "");
        assert!(has_driver(&["/nowhere", directory]));
    }
}
