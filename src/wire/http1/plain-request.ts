/** A request without a body that nobody sent: for those who ask for something within the program. */
import type { RequestHead } from './message.ts'

/** What is not given is as simple as it can be: `GET /`, of no host, with no field. */
export function plainRequest(given: Partial<RequestHead> = {}): RequestHead {
  const target = given.target ?? '/'
  const [path = '', query = ''] = target.split('?', 2)
  return {
    method: 'GET',
    target,
    path,
    query,
    authority: '',
    host: '',
    minor: 1,
    headers: [],
    raw: '',
    framing: { kind: 'none' },
    keepAlive: true,
    expectContinue: false,
    nominated: [],
    hasForwarding: false,
    upgrade: undefined,
    ...given,
  }
}
