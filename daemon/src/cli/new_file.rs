//! A new file at a place that a person chose, for something that nobody else may read.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::system::owned::{self, NewPrivate};

/// Makes it; one that is there is refused. Where others cannot be shut out, it says so: a medium that is kept apart is a good place
/// for a recovery key even so.
pub(super) fn new_private(path: &Path) -> io::Result<File> {
    let NewPrivate { file, open_because } = owned::create_new_private(path)?;
    if let Some(error) = open_because {
        writeln!(
            io::stderr(),
            "警告: {} をほかのユーザーから守れません（{error}）。FATの媒体などにはアクセス権がありません。ほかの人が触れない所に保管してください。",
            path.display()
        )?;
    }
    Ok(file)
}
