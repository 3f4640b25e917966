// The other end of a measurement: a server that takes mail and throws it away.

import type { Endpoint } from '../../inspect/address';
import { createReceivers } from '../../inspect/measure/receiver';
import { isFault, type Fault } from '../system/fault';
import { SILENT, type Link, type Network, type Peer } from './network';

export interface Counts {
  sessions: number;
  messages: number;
  octets: number;
}

export interface Sink {
  readonly at: Endpoint;
  readonly counts: Readonly<Counts>;
}

export async function openSink(network: Network, at: Endpoint, name: string): Promise<Sink | Fault> {
  const { greeting, create } = createReceivers(name);
  const counts: Counts = { sessions: 0, messages: 0, octets: 0 };
  const accept = (link: Link): Peer => {
    counts.sessions += 1;
    const receiver = create();
    link.send([greeting]);
    return {
      ...SILENT,
      octets(octets) {
        counts.octets += octets.length;
        const { octets: answer, messages, closes } = receiver.feed(octets);
        counts.messages += messages;
        // What is pipelined is answered in one write.
        if (answer.length > 0) link.send(answer.length === 1 ? answer : [Buffer.concat(answer)]);
        if (closes) link.close();
      },
    };
  };
  const listening = await network.listen(at, accept);
  return isFault(listening) ? listening : { at: listening, counts };
}
