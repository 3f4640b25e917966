// Nobody can teach ehlowire that a real postscreen is broken: bots of every kind beside honest clients, whose mail arrives.

import * as assert from 'uvu/assert';
import { labSuite, type Need } from '../../kit/lab';
import { BRIEF, PATHS, poison, POSTS, SHORT, type Account } from './poison';

const NEEDS: readonly Need[] = ['postfix', 'python3', 'bpf'];

for (const [nth, path] of PATHS.entries()) {
  const lab = labSuite(`poison, ${path.name}`);
  let accounts: readonly Account[] = [];
  lab.before(async () => void (accounts = await poison(`q${nth}`, path, BRIEF)));
  for (const { name } of POSTS) {
    lab.test(`${name}: all honest mail arrives, and nothing is held against the server`, NEEDS, async () => {
      const account = accounts.find((each) => each.name === name);
      assert.ok(account);
      const { fine, messages, failed, delivered, against, played, early } = account;
      assert.equal({ failed, against }, { failed: {}, against: [] });
      assert.ok(fine >= 3 * BRIEF.honest, `only ${fine} honest sessions`);
      assert.equal([messages, delivered], [2 * fine, 2 * fine]);
      // The tests above could not fail if nobody were bad.
      assert.ok(Object.keys(played).length > 10, JSON.stringify(played));
      assert.ok(early > 0, 'nobody talked early');
      if (path === SHORT) assert.ok(account.lost > 0, 'no record was lost');
    });
  }
  lab.run();
}
