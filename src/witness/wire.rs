//! The texts of `add-checkpoint` (C2SP tlog-witness): what is sent, and the size that a refusal names.

use std::fmt::Write as _;

use crate::tlog::Hash;

/// The body of a request: the size the witness knows, the proof that this head continues it, the signed head.
pub(super) fn request(old: u64, proof: &[Hash], note: &str) -> Result<String, std::fmt::Error> {
    let mut body = String::new();
    writeln!(body, "old {old}")?;
    for hash in proof {
        writeln!(body, "{hash}")?;
    }
    writeln!(body)?;
    body.push_str(note);
    Ok(body)
}

/// The size in a body of the type `text/x.tlog.size`: ASCII digits without a leading zero, and a newline.
pub(super) fn size(body: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let canonical = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.parse().ok().filter(|_| canonical)
}

/// The type of a body that names a size.
pub(super) const SIZE_TYPE: &str = "text/x.tlog.size";

#[cfg(test)]
mod tests {
    use super::*;

    // The example of tlog-witness, shortened by its second log signature.
    #[test]
    fn the_request_is_the_one_of_the_specification() {
        let proof = [
            "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=",
            "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=",
            "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=",
            "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=",
        ];
        let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa \
             Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
        let hashes: Vec<Hash> = proof.iter().map(|hash| hash.parse().unwrap()).collect();
        assert_eq!(request(20_852_014, &hashes, note).unwrap(), format!("old 20852014\n{}\n\n{note}", proof.join("\n")));
        assert_eq!(request(0, &[], "note\n").unwrap(), "old 0\n\nnote\n");
    }

    #[test]
    fn a_size_has_one_spelling() {
        assert_eq!(size(b"0\n"), Some(0));
        assert_eq!(size(b"20852014\n"), Some(20_852_014));
        assert_eq!(size(b"18446744073709551615\n"), Some(u64::MAX));
        for bad in [&b""[..], b"\n", b"5", b"05\n", b"+5\n", b"5\n\n", b"5\r\n", b" 5\n", b"18446744073709551616\n", b"\xff\n"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }
}
