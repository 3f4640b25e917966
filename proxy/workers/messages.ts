// What a worker and the primary tell each other. All of it crosses as JSON: plain values, nothing that refers to anything.

import type { Endpoint } from '../../inspect/address';
import type { Micros } from '../../inspect/events';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import type { Lesson } from '../../inspect/greeting/lesson';
import type { Excess } from '../../inspect/policy/limits-of-load';
import type { Level } from '../config/config';
import type { PolicyConfig } from '../config/policy';
import type { Asking, NoPlace } from '../relay/caps';
import type { Leg } from '../relay/capture';
import type { Counters } from '../relay/listener';
import type { ProxyVersion } from '../servers/verification';
import type { KnownServer } from '../servers/saved';
import type { About, Connection, Fields, Recorded } from '../sinks/record';
import type { Limit } from '../sinks/windows';
import type { Fault } from '../system/fault';

/** What one worker counts by itself. */
export type Counts = Readonly<Counters> & { readonly sockets: number };

/** From a worker. */
export type Up =
  | { readonly kind: 'ready'; readonly addresses: readonly Endpoint[] }
  | { readonly kind: 'failed'; readonly fault: Fault }
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** A connection asks for a place; `id` is the worker's. */
  | { readonly kind: 'enter'; readonly id: number; readonly client: Asking | undefined }
  | { readonly kind: 'introduce'; readonly id: number; readonly client: Asking }
  /** It is ended for its errors. */
  | { readonly kind: 'offend'; readonly id: number }
  | { readonly kind: 'leave'; readonly id: number }
  /** A connection to this server begins. */
  | { readonly kind: 'server'; readonly server: Endpoint; readonly proxyOut: ProxyVersion | undefined }
  | {
      readonly kind: 'teach';
      readonly lesson: Lesson;
      readonly connection: Connection;
      readonly at: Micros;
    }
  /** These legs are to be watched. `repaired`: the server's greetings are, whatever is learned. */
  | {
      readonly kind: 'follow';
      readonly connection: Connection;
      readonly client: Leg;
      readonly server: Leg | undefined;
      readonly repaired: boolean;
    }
  /** Of a watched connection: its server greeted it. */
  | { readonly kind: 'greeted'; readonly session: string }
  /** Of a watched connection: its last line, which lacks what only segments tell. */
  | { readonly kind: 'session'; readonly session: string; readonly event: Recorded }
  | { readonly kind: 'omit'; readonly limit: Limit; readonly of: Readonly<Record<string, number>> }
  | {
      readonly kind: 'note';
      readonly level: Level;
      readonly what: string;
      readonly fields: Fields | undefined;
      readonly about: About | undefined;
    };

/** To a worker. */
export type Down =
  | {
      readonly kind: 'begin';
      /** Of the configuration, key by key. */
      readonly values: readonly (readonly [key: string, value: unknown])[];
      /** Of the rules that hold now. */
      readonly policy: PolicyConfig['given'];
      readonly known: readonly KnownServer[];
      /** Its connections are to be reported, to be watched. */
      readonly watched: boolean;
      readonly addressKey: string;
      /** Of sessions: no other worker has it. */
      readonly names: string;
    }
  /** Undefined: it has its place. */
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly no: NoPlace | undefined;
      readonly observed: Excess | undefined;
      /** Of all places those that are held, from 0 to 1. */
      readonly fill: number;
    }
  /** What is known of a server; undefined: nothing any more. */
  | { readonly kind: 'known'; readonly server: Endpoint; readonly knowledge?: GreetingKnowledge | undefined }
  | { readonly kind: 'policy'; readonly policy: PolicyConfig['given'] }
  | { readonly kind: 'drain' }
  | { readonly kind: 'stop' };

export type Message<Of extends Up | Down, Kind extends Of['kind']> = Extract<Of, { kind: Kind }>;
