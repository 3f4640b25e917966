// Who is in charge is named, also in the moments in which the locked file does not say it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { takeControl } from '../../../deploy/journal/control-process';
import { formatFault, isFault } from '../../../proxy/system/fault';
import { ownIdentity } from '../../../proxy/system/process';
import { scratch, start } from '../../kit/process';
import { awaitWord } from '../../kit/topology';

const FOLDER = scratch('running');
const SIGNED = join(FOLDER, 'signed');
writeFileSync(SIGNED, JSON.stringify({ ...ownIdentity(), since: '', version: '', does: 'bridge' }));

/** What the process that has the lock does, in a shell, and which fault the second one gets; undefined: it gets the lock. */
const ROWS: readonly (readonly [name: string, does: string, told: RegExp | undefined])[] = [
  ['it signs at once', `cat ${SIGNED} > "$0"; echo locked; exec sleep 60`, /process \d+, `ehlowire bridge`/],
  [
    'it signs later',
    `echo locked; sleep 1; cat ${SIGNED} > "$0"; exec sleep 60`,
    /process \d+, `ehlowire bridge`/,
  ],
  ['it takes the file away, and ends later', 'rm "$0"; echo locked; exec sleep 60', undefined],
  ['it ends without a word', 'echo locked; exec sleep 1', undefined],
  ['it never signs', 'echo locked; exec sleep 60', /never-signs/],
];

for (const [name, does, told] of ROWS) {
  test(`somebody has the lock: ${name}`, async () => {
    const file = join(FOLDER, `${name.replaceAll(' ', '-')}.json`);
    const holder = start('flock', ['--no-fork', file, 'sh', '-c', does, file]);
    await awaitWord(holder, 'locked');
    const taken = await takeControl(file, 'host');
    if (!isFault(taken)) taken();
    assert.is(isFault(taken), told !== undefined);
    if (told !== undefined && isFault(taken)) assert.match(formatFault(taken), told);
    await holder.stop('SIGKILL');
  });
}

test.run();
