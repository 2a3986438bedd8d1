//! Anonymity over several messages: what one reader is told of a person by all enquiries of a case together (`domain.md` section 16).
//!
//! Promises: asked again in other words, a provider learns no more than one enquiry may tell. Not here: another case of the same person, which the gateway
//! cannot tell from another person's.

use super::{Gateway, affair::Affair, failure::Failure, read_case::open_message};
use crate::{
    domain::refusal::{Refusal, RefusalCode},
    message::{Verified, disclosed::Disclosed, schema::MessageSchema, submission::Message},
};

impl Gateway {
    /// That a message and those of its kind that its recipient got in the case before tell no more together than one may.
    pub(super) async fn stays_anonymous(
        &self,
        message: &Verified<Message>,
        disclosed: &Disclosed,
        schema: &MessageSchema,
        affair: &Affair,
    ) -> Result<(), Failure> {
        if !schema.is_anonymous() {
            return Ok(());
        }
        let claims = message.claims();
        let heads = affair.passages.iter().map(|passage| &passage.head);
        let before = heads.filter(|head| head.kind == claims.kind && head.aud == claims.aud && head.jti != claims.jti);
        let key = self.data_key(affair.key).await?;
        let mut bodies = Vec::new();
        for head in before {
            if let Some(row) = self.store.message(&affair.row.case, &head.jti).await? {
                bodies.push(open_message(&key, &row)?.1.body());
            }
        }
        if bodies.is_empty() {
            return Ok(());
        }
        bodies.push(disclosed.body());
        match schema.check_together(&bodies, claims.iat) {
            Some(violation) => Err(Refusal { code: RefusalCode::SchemaInvalid, violations: vec![violation], rules: Vec::new() }.into()),
            None => Ok(()),
        }
    }
}
