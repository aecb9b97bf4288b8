use super::*;
use FaultKind::{BadCar, BadCid, BadHash};

/// A CAR with these blocks of DAG-CBOR; the first one is the root.
fn car(blocks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![58];
    bytes.extend_from_slice(b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00");
    bytes.extend_from_slice(&BlockCid::of_dag_cbor(blocks[0]).bytes());
    bytes.extend_from_slice(b"\x67version\x01");
    for block in blocks {
        assert!(block.len() < 90);
        bytes.push(u8::try_from(36 + block.len()).unwrap());
        bytes.extend_from_slice(&BlockCid::of_dag_cbor(block).bytes());
        bytes.extend_from_slice(block);
    }
    bytes
}

fn blocks_of(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let mut found = Vec::new();
    blocks(bytes, &mut found)?;
    Ok(found.iter().map(|block| block.data.to_vec()).collect())
}

fn streamed(bytes: &[u8], size: usize) -> Result<Vec<Vec<u8>>, Fault> {
    let mut stream = Stream::new(1 << 20);
    let mut found = Vec::new();
    for piece in bytes.chunks(size) {
        stream.feed(piece, |section| {
            if let Section::Block(block) = section {
                found.push(block.data.to_vec());
            }
            Ok(())
        })?;
    }
    stream.finish()?;
    Ok(found)
}

#[test]
fn blocks_are_read_in_one_piece_and_in_many() {
    let bytes = car(&[b"\xa0", b"\x80", b""]);
    let expected = vec![vec![0xa0], vec![0x80], vec![]];
    assert_eq!(blocks_of(&bytes).unwrap(), expected);
    for size in 1..=bytes.len() {
        assert_eq!(streamed(&bytes, size).unwrap(), expected);
    }
}

#[test]
fn a_file_that_ends_early_is_truncated_and_nothing_else() {
    let bytes = car(&[b"\xa0", b"\x80"]);
    let ends = [59, 59 + 38, bytes.len()];
    for end in 0..=bytes.len() {
        let cut = &bytes[..end];
        let (whole, pieces) = (blocks_of(cut), streamed(cut, 7));
        if ends.contains(&end) {
            assert!(whole.is_ok() && pieces.is_ok());
        } else {
            assert_eq!(whole.unwrap_err().kind, FaultKind::Truncated, "{end}");
            let fault = pieces.unwrap_err();
            assert_eq!((fault.kind, fault.at), (FaultKind::Truncated, end as u64));
        }
    }
}

#[test]
fn a_flipped_bit_is_found() {
    let bytes = car(&[b"\xa0", b"\x80"]);
    for at in 59..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        let fault = blocks_of(&bad).unwrap_err();
        let again = streamed(&bad, 10).unwrap_err();
        assert_eq!((fault.kind, at), (again.kind, at));
    }
}

#[test]
fn faults_name_their_place() {
    let bytes = car(&[b"\xa0", b"\x80"]);
    let fault = |at: usize, byte: u8| {
        let mut bad = bytes.clone();
        bad[at] = byte;
        let fault = blocks_of(&bad).unwrap_err();
        assert_eq!(streamed(&bad, 1000).unwrap_err(), fault);
        (fault.kind, fault.at)
    };
    assert_eq!(fault(1, 0xa1), (BadCar, 1));
    assert_eq!(fault(58, 2), (BadCar, 50));
    assert_eq!(fault(60, 0), (BadCid, 60)); // version 0
    assert_eq!(fault(61, 0x70), (BadCid, 60)); // another codec
    assert_eq!(fault(62, 0x13), (BadCid, 60)); // another hash function
    assert_eq!(fault(59 + 37, 0xa1), (BadHash, 60));
    assert_eq!(fault(59, 0), (BadCid, 60)); // an empty section
}

#[test]
fn lengths_are_believed_only_as_far_as_they_may_be() {
    let feed = |bytes: &[u8]| {
        Stream::new(100)
            .feed(bytes, |_| Ok(()))
            .map_err(|fault| fault.kind)
    };
    assert_eq!(feed(&[100]), Ok(()));
    assert_eq!(feed(&[101]), Err(FaultKind::TooBig));
    assert_eq!(
        feed(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x20]),
        Err(FaultKind::TooBig)
    );
    assert_eq!(feed(&[0xff; 8]), Ok(()));
    assert_eq!(feed(&[0xff; 9]), Err(BadCar));
    assert_eq!(feed(&[0x81, 0x00]), Err(BadCar));
}
