// Where the compiled program lies: beside this file, in the sources as in the package.

import { join } from 'node:path';

/** Made by `npm run build:wire`. */
export const OBJECT = join(__dirname, 'ehlowire.bpf.o');
