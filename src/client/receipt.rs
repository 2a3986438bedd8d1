//! Receipts: the gateway's signed word about a message, checked with the pinned receipt key.

use super::{error::Doubt, pinned::Pinned};
use crate::{
    domain::party::PartyId,
    message::objects::{Receipt, Signed},
};

/// A receipt whose signature, issuer, addressee and ledger were checked. Whether the entry it names is in the tree, a proof says
/// ([`super::Proven`], or [`super::TreeView::includes`]).
#[derive(Debug, Clone)]
pub struct SignedReceipt {
    token: String,
    claims: Receipt,
}

impl SignedReceipt {
    /// Checks a receipt for `aud`.
    pub(super) fn read(token: &str, aud: &PartyId, pinned: &Pinned) -> Result<Self, Doubt> {
        let signed = Signed::<Receipt>::read(token.as_bytes()).map_err(|_| Doubt::Receipt("form"))?;
        let key = pinned.receipt_key(&signed.kid()).ok_or(Doubt::Receipt("not signed by a pinned key"))?;
        let claims = signed.verify(key).map_err(|_| Doubt::Receipt("signature"))?.into_inner();
        if claims.iss != pinned.document().gateway {
            return Err(Doubt::Receipt("of another gateway"));
        }
        if claims.aud != *aud {
            return Err(Doubt::Receipt("for another party"));
        }
        if claims.log.origin != pinned.document().origin() {
            return Err(Doubt::Receipt("of another ledger"));
        }
        Ok(Self { token: token.to_owned(), claims })
    }

    /// The token: what is kept as evidence.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &Receipt {
        &self.claims
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        client::pinned::tests::{GATEWAY, Stage},
        domain::{digest::Digest, time::Timestamp},
        message::{
            keys::SigningKey,
            objects::{LogPosition, ReceiptStatus, ReceivedMessage, SignedObject as _},
        },
    };

    pub(in crate::client) const ME: &str = "settlement_center:13-1";

    pub(in crate::client) fn receipt(stage: &Stage) -> Receipt {
        Receipt {
            iss: GATEWAY.parse().unwrap(),
            aud: ME.parse().unwrap(),
            jti: "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
            iat: Timestamp::from_secs(1_790_812_800),
            msg: ReceivedMessage {
                iss: ME.parse().unwrap(),
                jti: "1b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
                sha256: Digest([3; 32]),
            },
            st: ReceiptStatus::Accepted,
            code: None,
            log: LogPosition { origin: stage.signer.verifier().name().to_string(), idx: 1, leaf: Digest([4; 32]) },
        }
    }

    fn read(stage: &Stage, receipt: &Receipt) -> Result<SignedReceipt, Doubt> {
        SignedReceipt::read(&receipt.sign(&stage.receipt).unwrap(), &ME.parse().unwrap(), &stage.pinned())
    }

    #[test]
    fn a_receipt_of_the_pinned_key_is_read() {
        let stage = Stage::new();
        let receipt = receipt(&stage);
        assert_eq!(read(&stage, &receipt).unwrap().claims(), &receipt);
    }

    #[test]
    fn a_tampered_receipt_is_refused() {
        let stage = Stage::new();
        let token = receipt(&stage).sign(&stage.receipt).unwrap();
        let (me, pinned) = (ME.parse().unwrap(), stage.pinned());
        for at in (0..token.len()).step_by(5) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(SignedReceipt::read(&changed, &me, &pinned).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_receipt_of_another_key_gateway_addressee_or_ledger_is_refused() {
        let stage = Stage::new();
        let (me, pinned, good) = (ME.parse().unwrap(), stage.pinned(), receipt(&stage));
        let foreign = good.sign(&SigningKey::generate().unwrap()).unwrap();
        assert!(matches!(SignedReceipt::read(&foreign, &me, &pinned), Err(Doubt::Receipt("not signed by a pinned key"))));
        let binding = good.sign(&stage.kb).unwrap();
        assert!(matches!(SignedReceipt::read(&binding, &me, &pinned), Err(Doubt::Receipt("not signed by a pinned key"))));

        let gateway = Receipt { iss: "https://elsewhere.example".parse().unwrap(), ..good.clone() };
        assert!(matches!(read(&stage, &gateway), Err(Doubt::Receipt("of another gateway"))));
        let party = Receipt { aud: "settlement_center:13-2".parse().unwrap(), ..good.clone() };
        assert!(matches!(read(&stage, &party), Err(Doubt::Receipt("for another party"))));
        let ledger = Receipt { log: LogPosition { origin: "elsewhere/ledger".to_owned(), ..good.log.clone() }, ..good };
        assert!(matches!(read(&stage, &ledger), Err(Doubt::Receipt("of another ledger"))));
    }
}
