// A dialogue with all that must be hidden, and what was lost of it.

import { FLAG } from '../../../../inspect/tcp/segment';
import { NO_OCTETS } from '../../../../inspect/octets';
import { packetise, type Sent } from '../../../inspect/tcp/packetise';
import type { Turn } from '../../../inspect/smtp/transcript';

/** Stands wherever content or a credential is. */
export const HIDDEN = 'S3CR3T';

export const DIALOGUE: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO client.example\r\n'],
  ['S', '250-mx.example\r\n250-AUTH LOGIN PLAIN\r\n250 CHUNKING\r\n'],
  ['C', `AUTH PLAIN ${HIDDEN}\r\n`],
  ['S', `535 5.7.8 no ${HIDDEN}\r\n`],
  ['C', 'AUTH LOGIN\r\n'],
  ['S', `334 ${HIDDEN}\r\n`],
  ['C', `${HIDDEN}\r\n`],
  ['S', '334 UGFzc3dvcmQ6\r\n'],
  ['C', `MAIL FROM:<${HIDDEN}>\r\n`],
  ['S', `235 2.7.0 hello ${HIDDEN}\r\n`],
  ['C', 'MAIL FROM:<a@client.example> SIZE=1000\r\n'],
  ['S', '250 2.1.0 ok\r\n'],
  ['C', 'RCPT TO:<b@mx.example>\r\n'],
  ['S', '250 2.1.5 ok\r\n'],
  ['C', 'DATA\r\n'],
  ['S', '354 go\r\n'],
  ['C', `Subject: ${HIDDEN}\r\n\r\nEHLO ${HIDDEN}\r\nMAIL FROM:<${HIDDEN}@x>\r\n`],
  ['C', `RCPT TO:<${HIDDEN}@x>\r\n\r\nHELP ${HIDDEN}\r\n..\r\n${HIDDEN}\r\n.\r\n`],
  ['S', '250 2.0.0 queued\r\n'],
  ['C', 'MAIL FROM:<c@client.example>\r\n'],
  ['S', '250 2.1.0 ok\r\n'],
  ['C', `BDAT 52 LAST\r\nEHLO ${HIDDEN}\r\nMAIL FROM:<${HIDDEN}@client.ex>\r\nxx`],
  ['S', '250 2.0.0 queued\r\n'],
  ['C', `XEXPS GSSAPI\r\nEHLO ${HIDDEN}\r\n`],
  ['S', `500 what ${HIDDEN}\r\n`],
  ['C', `VRFY ${HIDDEN}\r\n`],
  ['S', `252 2.0.0 ${HIDDEN}\r\n`],
];

/** An EHLO that never arrives, seen by what comes behind it; the server has nothing more to say. */
export const DROPPED = lostBefore(
  packetise(DIALOGUE),
  ({ from, segment }) => from === 'client' && segment.length > 0,
);
/** The whole dialogue is there, and the QUIT behind it is lost. */
export const LATE = lostBefore(
  packetise([...DIALOGUE, ['C', 'QUIT\r\n']]),
  ({ from, segment }) => from === 'client' && segment.length === 6 && segment.payload[0] === 0x51,
);

/**
 * Lost before this point and on the way to the server: that one says no more, and the client goes on in vain. What comes
 * out of order the server answers with its old number again (RFC 5681 section 4.2).
 */
export function lostBefore(sent: readonly Sent[], is: (each: Sent) => boolean): Sent[] {
  const at = sent.findIndex(is);
  const lost = sent[at]?.segment;
  const server = sent
    .slice(0, at)
    .filter(({ from }) => from === 'server')
    .at(-1)?.segment;
  const heard = sent.slice(0, at).reduce((ack, each) => (each.from === 'client' ? each.segment.ack : ack), 0);
  if (!lost || !server) throw new Error('nothing to lose');
  const behind = sent.slice(at + 1).filter(({ from }) => from === 'client');
  return [
    ...sent.slice(0, at),
    ...behind.flatMap((each, i): Sent[] => {
      const segment = { ...each.segment, ack: heard };
      const own = {
        ...server,
        seq: heard,
        ack: lost.seq,
        flags: FLAG.ack,
        at: segment.at + 1_000,
        ipId: i + 1,
      };
      const again: Sent = { from: 'server', segment: { ...own, payload: NO_OCTETS, length: 0 } };
      return [{ ...each, segment }, again];
    }),
  ];
}
