// The vocabulary of replies: words that servers use of their own accord, and that say nothing of a person or a message.

/**
 * Whether a word may be quoted from a reply that may repeat its client's words. Case is no secret; a word
 * with a sign in front or behind is the word.
 */
export function isReplyWord(word: string): boolean {
  const lower = word.toLowerCase();
  return LIST.has(lower) || LIST.has(lower.replace(SIGNS, '')) || ENHANCED.test(word) || MASK.test(word);
}

/** The name that a server gave to a message, where it has the form of Postfix or Exim: their own logs have it too. */
export function queueNameIn(text: string): string | undefined {
  const found = QUEUED.exec(text);
  return found?.[1] ?? found?.[2];
}

// Postfix: short names are hexadecimal, long ones begin with the time and have no vowels. Exim: three parts,
// and behind PRDR the sentence is another one.
const QUEUED =
  /^(?:ok: queued as ([0-9A-F]{8,15}|[3-9][0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{11,17})|(?:ok )?(id=[0-9A-Za-z]{6}-[0-9A-Za-z]{6}(?:[0-9A-Za-z]{5})?-[0-9A-Za-z]{2,4})(?: message accepted(?: for some recipients)?)?)$/i;

/** RFC 2034 §4, with the colon or the `#` that some servers put there. */
const ENHANCED = /^#?[245]\.\d{1,3}\.\d{1,3}[:.]?$/;
/** What a middlebox wrote over a word of the server's. */
const MASK = /^X{4,}$/;
const SIGNS = /^[.!?=*-]+|[.!?=*-]+$/g;

// Texts of Postfix, Exim, sendmail, Exchange, qmail, OpenSMTPD, Haraka and postscreen.
const SENTENCES = `
  a about abort aborted accept accepted access account action added address addresses after again all allowed already
  an and anonymous another any are argument arguments as at attempt authenticate authenticated authentication authenticating
  available
  bad bare banned bdat be because been before begin beginning blacklisted blocked body bounce bye busy by
  can cannot carriage certificate channel characters check chunk client close closed closing command commands
  completed completion concurrent configuration configured connect connection connections contact content continue
  could credentials crlf
  data deferred delayed delivered delivery denied detected did disabled discarded disk dns does domain domains done dot
  ehlo empty enabled encryption end ending enough enter envelope error errors esmtp exceeded exceeds exist existing
  expected expn extended extension extensions
  failed failure few first followed for forbidden format forward found from full
  given go goodbye got greeting greylisted greylisting
  had has have header headers hello helo here host hostname
  if illegal implemented in incorrect input insufficient internal invalid is issue it
  later lf lhlo limit limits line lines list local long lookup loop loss lost
  mailbox mailboxes malformed many match maximum may mechanism mechanisms message messages missing mode more must
  name need needed nested network never new no noop not nothing now
  of off ok okay on once one only open or order originator other out over overload
  parameter parameters path permanent permitted persist please plain pleased policy postmaster prior problem
  processing prohibited protocol provided
  queue queued quit quota
  rate rcpt ready reason received recipient recipients recognised recognized refused reject rejected relay relaying
  remote reply report requested require required requires reset resource resources response restarting retry return
  rset
  said seconds security see sender senders sending sequence server service session shutdown shutting size slow smtp
  some sorry spam specified start started starting starttls state status storage submission submit subject success
  successful successfully such suspicious synchronization syntax system
  table taken temporarily temporary terminated terminating than that the then there this time timed timeout tls to too
  transaction transfer transient transmission try turn two
  unable unauthenticated unauthorized unavailable unexpected unimplemented unknown unrecognised unrecognized
  unreachable unsolicited unsupported until unverified up use used user using
  valid verification verified verify version via violation virtual virus vrfy
  wait waiting was welcome what while will with within without would wrong
  yet you your
`;

// IANA's SMTP service extensions, and those of Exchange and PIPECONNECT; RFC 1869 keywords and their closed values.
const KEYWORDS = `
  8bitmime 8bit-mime atrn auth binarymime burl checkpoint chunking conperm conneg deliverby dsn enhancedstatuscodes
  etrn expn future futurerelease help imap limits mt-priority mtrk no-soliciting noop onex pipe_connect pipeconnect
  pipelining prdr quit requiretls rrvs rset size smtputf8 starttls submitter time turn utf8smtp verb vrfy x-anonymoustls
  x-exps xclient xexch50 xforward xrdst x-rcptlimit x-linkstate xexprs xshadow xshadowrequest xproxyfrom xoorg x-oorg
`;

// The SASL mechanisms of clients/argument.ts are offered in EHLO's reply.
const MECHANISMS = `
  anonymous cram-md5 cram-sha1 digest-md5 external gss-spnego gssapi kerberos_v4 login ntlm oauthbearer plain
  scram-sha-1 scram-sha-1-plus scram-sha-256 scram-sha-256-plus scram-sha-512 scram-sha-512-plus srp xoauth xoauth2
`;

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** SASL mechanisms (IANA, and those that are in use all the same), in capitals. */
export const SASL_MECHANISMS: ReadonlySet<string> = new Set(wordsOf(MECHANISMS.toUpperCase()));

const LIST: ReadonlySet<string> = new Set([SENTENCES, KEYWORDS, MECHANISMS].flatMap(wordsOf));
