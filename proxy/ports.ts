// The ports that mail is spoken on.

/** RFC 8314 §3.3: TLS from the first octet. */
export const SUBMISSIONS = 465;

/** SMTP, submission, submission over TLS, and what many choose beside them. */
export const SMTP_PORTS: readonly number[] = [25, 587, SUBMISSIONS, 2525];
