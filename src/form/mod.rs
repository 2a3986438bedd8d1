//! What is printed: the paper form of a consent (同意書), what it offers and what a filled one says; the certificate of a coordination (調整証明書);
//! the list of what was disclosed of a person to whom (開示の一覧).
//!
//! Promises: a form has one box for each class and recipient that the agreement lets through and the policies could ever show, and no other. The page
//! is a function of the form alone, and its number is the digest of its text: the record of a consent carries that number, and is made only of what the
//! form offers. So paper and record agree.
//! Not here: files, signatures, the gateway. Nothing of a filled form is printed by `Debug`.

mod answers;
mod certificate;
mod disclosed;
mod html;
mod labels;
mod offer;
mod page;
mod ruby;

pub use self::{
    answers::{Answers, AnswersError, Draft, Mark, Scan},
    certificate::{Sheet, SheetError},
    disclosed::Disclosed,
    labels::Labels,
    offer::{AgreementShown, Basis, Cell, Coded, Column, Form, FormError, Line},
    page::PageError,
};
