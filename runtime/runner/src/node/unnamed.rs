use std::{fs::File, io, path::Path};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

/// Creates a file without a name in this directory. It disappears when the process ends for any reason.
///
/// # Errors
/// If the file cannot be created.
pub(super) fn unnamed(directory: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    match rustix::fs::open(
        directory,
        OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
        Mode::RUSR | Mode::WUSR,
    ) {
        Ok(file) => return Ok(file.into()),
        // The file system does not support it, or an old kernel takes the flag for that of a directory (open(2)).
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    named_for_a_moment(directory)
}

/// The fallback: creates a named file and removes the name. The name is constant, so that at most one file is left.
fn named_for_a_moment(directory: &Path) -> io::Result<File> {
    let path = directory.join(".health");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?;
    std::fs::remove_file(&path)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};

    use super::*;

    #[test]
    fn a_file_without_a_name_is_written_and_read_as_others_and_leaves_none() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".health"), "left").unwrap();
        let files = [unnamed(directory.path()).unwrap(), named_for_a_moment(directory.path()).unwrap()];
        for mut file in files {
            file.write_all(b"text").unwrap();
            file.rewind().unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let gone = unnamed(&directory.path().join("gone")).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
