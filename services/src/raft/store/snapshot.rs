//! A snapshot's file: a line that says its format, records of [`Record`] behind their lengths (four bytes, big
//! endian), the last of them `End`, and the CRC-32 of all of it.

use std::{
    fs,
    io::{self, BufReader, BufWriter, Read, Seek as _, Write},
};

use openraft::LogId;
use redb::{ReadableTable as _, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{
    CEILING, StoreError,
    file::File,
    state::{APPLIED, KEYS, MEMBERSHIP, Membership, ORDER, REQUESTS, REVISION, Stored},
};
use crate::raft::Outcome;

const MAGIC: &[u8] = b"polywire.raft.snapshot/1\n";

#[derive(Debug, Serialize, Deserialize)]
enum Record {
    Head { applied: Option<LogId<u64>>, membership: Membership, revision: u64 },
    Key { key: String, stored: Stored },
    Request { index: u64, id: String, outcome: Outcome },
    End,
}

/// What a snapshot is of.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) applied: Option<LogId<u64>>,
    pub(super) membership: Membership,
}

/// Writes what the state machine holds at one moment, and waits for the disk.
pub(super) fn write(state: &File, into: &fs::File) -> Result<Head, StoreError> {
    let failed = |error: io::Error| StoreError::disk(state.path(), error);
    let mut output = Checked { inner: BufWriter::new(into), sum: crc32fast::Hasher::new() };
    output.write_all(MAGIC).map_err(failed)?;
    let mut put = |record: &Record| {
        let bytes = state.encode(record)?;
        let length = u32::try_from(bytes.len()).map_err(|error| failed(io::Error::other(error)))?;
        output.write_all(&length.to_be_bytes()).and_then(|()| output.write_all(&bytes)).map_err(failed)
    };
    let head = state.read(|transaction| {
        let applied: Option<LogId<u64>> = state.get(transaction, APPLIED)?;
        let membership: Membership = state.get(transaction, MEMBERSHIP)?.unwrap_or_default();
        let revision = state.get(transaction, REVISION)?.unwrap_or(0);
        put(&Record::Head { applied, membership: membership.clone(), revision })?;
        let keys = transaction.open_table(KEYS).map_err(|error| state.failed(error))?;
        for found in keys.iter().map_err(|error| state.failed(error))? {
            let (key, stored) = found.map_err(|error| state.failed(error))?;
            put(&Record::Key { key: key.value().to_owned(), stored: state.decode(stored.value())? })?;
        }
        let requests = transaction.open_table(REQUESTS).map_err(|error| state.failed(error))?;
        let order = transaction.open_table(ORDER).map_err(|error| state.failed(error))?;
        for found in order.iter().map_err(|error| state.failed(error))? {
            let (index, id) = found.map_err(|error| state.failed(error))?;
            let outcome = requests.get(id.value()).map_err(|error| state.failed(error))?;
            let Some(outcome) = outcome else { continue };
            let outcome = state.decode(outcome.value())?;
            put(&Record::Request { index: index.value(), id: id.value().to_owned(), outcome })?;
        }
        put(&Record::End)?;
        Ok(Head { applied, membership })
    })?;
    let sum = output.sum.clone().finalize();
    output.inner.write_all(&sum.to_be_bytes()).and_then(|()| output.inner.flush()).map_err(failed)?;
    drop(output);
    into.sync_all().map_err(failed)?;
    Ok(head)
}

/// Puts what the file says in place of what the state machine holds.
///
/// # Errors
/// When the file is not whole. The transaction must not be committed then.
pub(super) fn load(
    state: &File,
    from: &mut fs::File,
    transaction: &WriteTransaction,
) -> Result<Head, StoreError> {
    check(from).map_err(|error| StoreError::disk(state.path(), error))?;
    let failed = |error: io::Error| StoreError::disk(state.path(), error);
    let open = |error: redb::TableError| state.failed(error);
    let mut records = BufReader::new(from);
    io::copy(&mut (&mut records).take(MAGIC.len() as u64), &mut io::sink()).map_err(failed)?;
    let Record::Head { applied, membership, revision } = next(state, &mut records)? else {
        return Err(failed(incomplete("its head is missing")));
    };
    transaction.delete_table(KEYS).map_err(open)?;
    transaction.delete_table(REQUESTS).map_err(open)?;
    transaction.delete_table(ORDER).map_err(open)?;
    let mut keys = transaction.open_table(KEYS).map_err(open)?;
    let mut requests = transaction.open_table(REQUESTS).map_err(open)?;
    let mut order = transaction.open_table(ORDER).map_err(open)?;
    loop {
        match next(state, &mut records)? {
            Record::Key { key, stored } => {
                let stored = state.encode(&stored)?;
                keys.insert(&*key, &*stored).map_err(|error| state.failed(error))?;
            }
            Record::Request { index, id, outcome } => {
                let outcome = state.encode(&outcome)?;
                requests.insert(&*id, &*outcome).map_err(|error| state.failed(error))?;
                order.insert(index, &*id).map_err(|error| state.failed(error))?;
            }
            Record::End => break,
            Record::Head { .. } => return Err(failed(incomplete("it has two heads"))),
        }
    }
    state.put(transaction, MEMBERSHIP, &membership)?;
    state.put(transaction, REVISION, &revision)?;
    if let Some(applied) = &applied {
        state.put(transaction, APPLIED, applied)?;
    }
    Ok(Head { applied, membership })
}

/// Reads all of a received file and returns its head; changes nothing.
///
/// # Errors
/// [`StoreError::Snapshot`] when it is not whole, or is of a version that cannot be read.
pub(super) fn inspect(state: &File, file: &mut fs::File) -> Result<Head, StoreError> {
    let unusable = |error: StoreError| match error {
        StoreError::Disk { source, .. } => refused(source, state),
        error => StoreError::Snapshot { problem: error.to_string() },
    };
    check(file).map_err(|error| refused(error, state))?;
    let mut records = BufReader::new(file);
    io::copy(&mut (&mut records).take(MAGIC.len() as u64), &mut io::sink())
        .map_err(|error| refused(error, state))?;
    let Record::Head { applied, membership, revision } = next(state, &mut records).map_err(unusable)? else {
        return Err(refused(incomplete("its head is missing"), state));
    };
    if revision >= CEILING {
        return Err(refused(incomplete("its revision cannot be counted on"), state));
    }
    loop {
        match next(state, &mut records).map_err(unusable)? {
            Record::Key { stored, .. } if stored.revision > revision => {
                return Err(refused(incomplete("a key is of a later revision than all of it"), state));
            }
            Record::Request { index, .. } if index >= CEILING => {
                return Err(refused(incomplete("the number of a request cannot be counted on"), state));
            }
            Record::Key { .. } | Record::Request { .. } => {}
            Record::End => return Ok(Head { applied, membership }),
            Record::Head { .. } => return Err(refused(incomplete("it has two heads"), state)),
        }
    }
}

/// What is wrong with the file, or with the disk.
fn refused(error: io::Error, state: &File) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            StoreError::Snapshot { problem: error.to_string() }
        }
        _ => StoreError::disk(state.path(), error),
    }
}

/// Whether the file is whole; leaves it at its beginning.
fn check(file: &mut fs::File) -> io::Result<()> {
    file.rewind()?;
    let length = file.metadata()?.len();
    let smallest = (MAGIC.len() + size_of::<u32>()) as u64;
    let body = length.checked_sub(size_of::<u32>() as u64).filter(|_| length >= smallest);
    let body = body.ok_or_else(|| incomplete("it is too short"))?;
    let mut input = BufReader::new(&*file);
    let mut magic = vec![0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(incomplete("it is of another format"));
    }
    let mut sum = Checked { inner: io::sink(), sum: crc32fast::Hasher::new() };
    sum.write_all(&magic)?;
    io::copy(&mut (&mut input).take(body - MAGIC.len() as u64), &mut sum)?;
    let mut expected = [0; size_of::<u32>()];
    input.read_exact(&mut expected)?;
    if sum.sum.finalize() != u32::from_be_bytes(expected) {
        return Err(incomplete("its checksum is wrong"));
    }
    drop(input);
    file.rewind()
}

fn next(state: &File, records: &mut impl Read) -> Result<Record, StoreError> {
    let failed = |error: io::Error| StoreError::disk(state.path(), error);
    let mut length = [0; size_of::<u32>()];
    records.read_exact(&mut length).map_err(failed)?;
    // Read as it comes: memory grows with what is there, not with what is announced.
    let length = u32::from_be_bytes(length);
    let mut bytes = Vec::new();
    records.take(u64::from(length)).read_to_end(&mut bytes).map_err(failed)?;
    state.decode(&bytes)
}

fn incomplete(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unusable snapshot: {problem}"))
}

/// Sums up what is written.
struct Checked<W> {
    inner: W,
    sum: crc32fast::Hasher,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
