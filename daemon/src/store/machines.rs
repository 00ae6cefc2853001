//! The certificate authority, the machines' certificates and the codes that enrol them.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::accounts::{device_word, read_role};
use super::error::failed;
use super::terminals::take_code;
use super::writer::{Tx, write};
use super::{Store, audit};
use crate::app::ports::{
    AuditEntry, CertificateAuthority, Device, IssuedCertificate, Machine, MachineOffer, MachineStore, Role,
    StoreError,
};

/// What the authority's key is sealed to.
const KEY_PLACE: &[u8] = b"certificate_authority.sealed_key";
const SELECT_AUTHORITY: &str = "SELECT certificate, fingerprint, sealed_key FROM certificate_authority";

#[derive(FromRow)]
struct AuthorityRow {
    certificate: String,
    fingerprint: Vec<u8>,
    sealed_key: Vec<u8>,
}

impl AuthorityRow {
    fn read(self, keyring: &super::keyring::Keyring) -> Result<CertificateAuthority, StoreError> {
        let corrupt = |reason: &str| StoreError::Corrupt {
            table: "certificate_authority",
            row: 1,
            reason: reason.to_owned(),
        };
        let key = keyring.system().authority.open(KEY_PLACE, &self.sealed_key);
        Ok(CertificateAuthority {
            certificate: self.certificate,
            fingerprint: self
                .fingerprint
                .try_into()
                .map_err(|_| corrupt("its fingerprint has another length"))?,
            key: key.map_err(|_| corrupt("its key does not open"))?,
        })
    }
}

async fn keep(
    tx: &mut Tx,
    new: CertificateAuthority,
    entry: AuditEntry,
) -> Result<CertificateAuthority, StoreError> {
    let sealed = tx.keyring.system().authority.seal(tx.random.as_ref(), KEY_PLACE, &new.key)?;
    let done = sqlx::query(
        "INSERT INTO certificate_authority (id, certificate, fingerprint, sealed_key) VALUES (1, ?1, ?2, ?3) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&new.certificate)
    .bind(new.fingerprint.as_slice())
    .bind(sealed)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    if done.rows_affected() == 1 {
        audit::append(tx, &entry, &[]).await?;
        return Ok(new);
    }
    let row: AuthorityRow =
        sqlx::query_as(SELECT_AUTHORITY).fetch_one(&mut tx.db).await.map_err(|e| failed(&e))?;
    row.read(&tx.keyring)
}

async fn replace(tx: &mut Tx, anew: CertificateAuthority, entry: AuditEntry) -> Result<(), StoreError> {
    sqlx::query("UPDATE certificate_authority SET certificate = ?1, fingerprint = ?2")
        .bind(&anew.certificate)
        .bind(anew.fingerprint.as_slice())
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    audit::append(tx, &entry, &[]).await
}

async fn offer(
    tx: &mut Tx,
    account: &str,
    code_hash: [u8; 32],
    expires_at: Timestamp,
    entry: AuditEntry,
) -> Result<MachineOffer, StoreError> {
    let found: Option<(i64, String)> = sqlx::query_as("SELECT id, role FROM accounts WHERE name = ?1")
        .bind(account)
        .fetch_optional(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let Some((id, role)) = found else { return Ok(MachineOffer::UnknownAccount) };
    if read_role(&role) != Some(Role::ReceiptComputer) {
        return Ok(MachineOffer::OtherRole);
    }
    // The row, not the name: an account of the same name that is made later is another one.
    sqlx::query(
        "INSERT INTO enrolment_codes (hash, kind, subject, expires_at_us) VALUES (?1, 'machine', ?2, ?3)",
    )
    .bind(code_hash.as_slice())
    .bind(id.to_string())
    .bind(expires_at.as_microsecond())
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    audit::append(tx, &entry, &[]).await?;
    Ok(MachineOffer::Kept)
}

/// Keeps a certificate of an account that may have one; its name, or `None` if it may not.
async fn insert(
    tx: &mut Tx,
    account: i64,
    issued: &IssuedCertificate,
    renews: Option<i64>,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let name: Option<String> = sqlx::query_scalar(
        "SELECT name FROM accounts WHERE id = ?1 AND role = 'receipt-computer' AND disabled = 0",
    )
    .bind(account)
    .fetch_optional(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    if name.is_some() {
        sqlx::query(
            "INSERT INTO machine_certificates (account, fingerprint, issued_at_us, ends_at_us, renews) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(account)
        .bind(issued.fingerprint.as_slice())
        .bind(now.as_microsecond())
        .bind(issued.ends_at.as_microsecond())
        .bind(renews)
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    }
    Ok(name)
}

/// Removes a certificate with its failure counters, which nobody could clear any more; `false` if there is none.
async fn forget(tx: &mut Tx, id: i64) -> Result<bool, StoreError> {
    sqlx::query("DELETE FROM sign_in_failures WHERE device = ?1")
        .bind(device_word(Device::Certificate(id)))
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let done = sqlx::query("DELETE FROM machine_certificates WHERE id = ?1")
        .bind(id)
        .execute(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    Ok(done.rows_affected() == 1)
}

/// The certificates that took over from this one, and from those.
async fn successors(tx: &mut Tx, id: i64) -> Result<Vec<i64>, StoreError> {
    sqlx::query_scalar(
        "WITH RECURSIVE later (id) AS (SELECT id FROM machine_certificates WHERE renews = ?1 \
         UNION SELECT next.id FROM machine_certificates AS next JOIN later ON next.renews = later.id) \
         SELECT id FROM later",
    )
    .bind(id)
    .fetch_all(&mut tx.db)
    .await
    .map_err(|e| failed(&e))
}

async fn append_about(tx: &mut Tx, account: &str, entry: AuditEntry) -> Result<(), StoreError> {
    let outcome = format!("ok:{account}");
    audit::append(tx, &AuditEntry { outcome, ..entry }, &[]).await
}

async fn enrol(
    tx: &mut Tx,
    code_hash: [u8; 32],
    issued: IssuedCertificate,
    now: Timestamp,
    entry: AuditEntry,
) -> Result<bool, StoreError> {
    let Some(subject) = take_code(tx, "machine", code_hash, now).await? else { return Ok(false) };
    let Ok(account) = subject.parse::<i64>() else { return Ok(false) };
    let ended: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM machine_certificates WHERE account = ?1 AND ends_at_us <= ?2")
            .bind(account)
            .bind(now.as_microsecond())
            .fetch_all(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    for id in ended {
        forget(tx, id).await?;
    }
    let Some(name) = insert(tx, account, &issued, None, now).await? else { return Ok(false) };
    append_about(tx, &name, entry).await?;
    Ok(true)
}

async fn renew(
    tx: &mut Tx,
    old: i64,
    issued: IssuedCertificate,
    now: Timestamp,
    entry: AuditEntry,
) -> Result<bool, StoreError> {
    let account: Option<i64> = sqlx::query_scalar("SELECT account FROM machine_certificates WHERE id = ?1")
        .bind(old)
        .fetch_optional(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    let Some(account) = account else { return Ok(false) };
    let earlier: Vec<i64> = sqlx::query_scalar("SELECT id FROM machine_certificates WHERE renews = ?1")
        .bind(old)
        .fetch_all(&mut tx.db)
        .await
        .map_err(|e| failed(&e))?;
    for id in earlier {
        forget(tx, id).await?;
    }
    let Some(name) = insert(tx, account, &issued, Some(old), now).await? else { return Ok(false) };
    append_about(tx, &name, entry).await?;
    Ok(true)
}

#[derive(FromRow)]
struct MachineRow {
    id: i64,
    account: i64,
    name: String,
    fingerprint: Vec<u8>,
    ends_at_us: i64,
}

impl MachineRow {
    fn read(self) -> Result<Machine, StoreError> {
        let corrupt = |reason: &str| StoreError::Corrupt {
            table: "machine_certificates",
            row: self.id,
            reason: reason.to_owned(),
        };
        Ok(Machine {
            id: self.id,
            account: self.account,
            account_name: self.name,
            fingerprint: self
                .fingerprint
                .try_into()
                .map_err(|_| corrupt("its fingerprint has another length"))?,
            ends_at: Timestamp::from_microsecond(self.ends_at_us)
                .map_err(|_| corrupt("its end is no time"))?,
        })
    }
}

#[async_trait]
impl MachineStore for Store {
    async fn authority(&self) -> Result<Option<CertificateAuthority>, StoreError> {
        let row: Option<AuthorityRow> =
            sqlx::query_as(SELECT_AUTHORITY).fetch_optional(&self.readers).await.map_err(|e| failed(&e))?;
        row.map(|row| row.read(&self.keyring)).transpose()
    }

    async fn keep_authority(
        &self,
        new: CertificateAuthority,
        audit: &AuditEntry,
    ) -> Result<CertificateAuthority, StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| Box::pin(keep(tx, new, entry))).await
    }

    async fn replace_authority(
        &self,
        anew: CertificateAuthority,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| Box::pin(replace(tx, anew, entry))).await
    }

    async fn offer_machine(
        &self,
        account: &str,
        code_hash: [u8; 32],
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<MachineOffer, StoreError> {
        let (account, entry) = (account.to_owned(), audit.clone());
        write(&self.writer, move |tx| {
            Box::pin(async move { offer(tx, &account, code_hash, expires_at, entry).await })
        })
        .await
    }

    async fn account_of_code(
        &self,
        code_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT accounts.name FROM enrolment_codes JOIN accounts ON accounts.id = CAST(subject AS INTEGER) \
             WHERE hash = ?1 AND kind = 'machine' AND expires_at_us > ?2 \
             AND role = 'receipt-computer' AND disabled = 0",
        )
        .bind(code_hash.as_slice())
        .bind(now.as_microsecond())
        .fetch_optional(&self.readers)
        .await
        .map_err(|e| failed(&e))
    }

    async fn enrol_machine(
        &self,
        code_hash: [u8; 32],
        issued: &IssuedCertificate,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let (issued, entry) = (issued.clone(), audit.clone());
        write(&self.writer, move |tx| Box::pin(enrol(tx, code_hash, issued, now, entry))).await
    }

    async fn renew_machine(
        &self,
        old: i64,
        issued: &IssuedCertificate,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let (issued, entry) = (issued.clone(), audit.clone());
        write(&self.writer, move |tx| Box::pin(renew(tx, old, issued, now, entry))).await
    }

    async fn machines(&self) -> Result<Vec<Machine>, StoreError> {
        let rows: Vec<MachineRow> = sqlx::query_as(
            "SELECT machine_certificates.id, account, name, fingerprint, ends_at_us \
             FROM machine_certificates JOIN accounts ON accounts.id = account ORDER BY name, machine_certificates.id",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        rows.into_iter().map(MachineRow::read).collect()
    }

    async fn revoke_machine(&self, id: i64, audit: &AuditEntry) -> Result<bool, StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| {
            Box::pin(async move {
                let successors = successors(tx, id).await?;
                let revoked = forget(tx, id).await?;
                for successor in successors {
                    forget(tx, successor).await?;
                }
                if revoked {
                    audit::append(tx, &entry, &[]).await?;
                }
                Ok(revoked)
            })
        })
        .await
    }
}
