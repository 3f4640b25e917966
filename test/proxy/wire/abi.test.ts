// The ABI: abi.ts is current.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeAbi } from '../../../proxy/wire/bpf/generate';
import { OBJECT } from '../../../proxy/wire/wire';
import { skip } from '../../kit/lab';
import { missing } from './program';

const why = missing();
if (why !== undefined) skip(test, 'the ABI', why);
else {
  test('abi.ts is what the compiled types say; if not, `npm run build:wire`', () => {
    const file = join(__dirname, '../../../proxy/wire/abi.ts');
    assert.is(describeAbi(OBJECT), readFileSync(file, 'utf8'));
  });
}

test.run();
