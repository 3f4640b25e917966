// Hands every new SMTP connection of a bridge to somebody's transparent listener: divert.ts PINS MAC MARK PORT

import { formatFault, isFault } from '../proxy/system/fault';
import { openWire } from '../proxy/wire/wire';

const [pins = '', mac = '', mark = '', port = ''] = process.argv.slice(2);
const wire = openWire({ pins });
if (isFault(wire)) throw new Error(formatFault(wire));
for (const leg of ['wan', 'lan'] as const) {
  const attached = wire.attach({ device: leg, hook: 'ingress', leg });
  if (isFault(attached)) throw new Error(formatFault(attached));
}
wire.tables.setPorts([25]);
const relay = { mark: Number(mark), socketMark: 0, port: Number(port), mac };
wire.tables.configure({ unknown: 'relay', relay });
// What is attached stays.
wire.close();
