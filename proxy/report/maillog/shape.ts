// What a line looks like, without what it says: it may be of any file, and nothing in it may be quoted.

/** Letters as `x`, digits as `9`, and only such words as they are that tell the form of a log. */
export function shapeOf(line: string): string {
  const cut = line.slice(0, LONGEST);
  const shape = cut.replace(/[A-Za-z]+|\d+|[^\x20-\x7e]+/g, (part) => {
    if (WORDS.has(part)) return part;
    const mark = /\d/.test(part) ? '9' : /[A-Za-z]/.test(part) ? 'x' : '?';
    return mark.repeat(Math.min(part.length, LONG));
  });
  return line.length > LONGEST ? `${shape}…` : shape;
}

const WORDS: ReadonlySet<string> = new Set([
  ...['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
  ...['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun', 'T', 'Z', 'UTC', 'GMT', 'CET', 'CEST'],
  ...[
    'postfix',
    'smtpd',
    'postscreen',
    'exim',
    'sendmail',
    'mta',
    'dovecot',
    'kernel',
    'systemd',
    'mail',
    'info',
  ],
  ...['log', 'time', 'stream', 'stdout', 'stderr', 'message', 'MESSAGE', 'timestamp', 'level', 'msg', 'host'],
]);
const LONGEST = 120;
/** Letters and digits in a row that are shown. */
const LONG = 12;
