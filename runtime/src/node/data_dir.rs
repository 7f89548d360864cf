use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Checks that the data directory can really be used: writes a file, syncs it, reads it back, and looks at
/// the free space.
///
/// # Errors
/// What is wrong, for people.
pub(super) async fn check(data_dir: PathBuf, min_free_bytes: u64) -> Result<(), String> {
    let checked = tokio::task::spawn_blocking(move || {
        round_trip(&data_dir)?;
        free_space(&data_dir, min_free_bytes)
    });
    checked.await.unwrap_or_else(|_| Err("the check panicked".to_owned()))
}

fn round_trip(data_dir: &Path) -> Result<(), String> {
    let path = data_dir.join(format!(".health-{}", std::process::id()));
    let written = format!("{:?}", SystemTime::now());
    let mut read = String::new();
    let outcome = File::create(&path)
        .and_then(|mut file| {
            file.write_all(written.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| File::open(&path)?.read_to_string(&mut read));
    let _ = fs::remove_file(&path);
    match outcome {
        Err(error) => Err(format!("{} cannot be written: {error}", data_dir.display())),
        Ok(_) if read != written => {
            Err(format!("{} gives back something else than was written", data_dir.display()))
        }
        Ok(_) => Ok(()),
    }
}

fn free_space(data_dir: &Path, min_free_bytes: u64) -> Result<(), String> {
    let space = rustix::fs::statvfs(data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if free >= min_free_bytes {
        return Ok(());
    }
    Err(format!(
        "{} has {free} bytes free, fewer than health.min_free_bytes = {min_free_bytes}",
        data_dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_that_is_gone_or_full_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        assert_eq!(check(path.clone(), 0).await, Ok(()));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        assert!(check(path.clone(), u64::MAX).await.unwrap_err().contains("health.min_free_bytes"));
        drop(directory);
        assert!(check(path, 0).await.unwrap_err().contains("cannot be written"));
    }
}
