/**
 * Phone, tablet or desktop, by what a browser says of itself.
 *
 * 1. A User-Agent that names a tablet: `iPad`, `Tablet`, `Kindle`, `PlayBook`, `Silk`, or `Android` without `Mobile`.
 * 2. `Sec-CH-UA-Mobile: ?1` (User-Agent Client Hints): a phone.
 * 3. A User-Agent with `Mobi`, `iPhone`, `iPod`, `Windows Phone`, `BlackBerry`, `BB10`, `webOS` or `Opera Mini`: a phone.
 * 4. Whatever else, also what says nothing: desktop.
 *
 * Three classes and no more: each multiplies what the cache has to hold. iPads that ask for desktop pages say that they are Macs, and are
 * taken at their word.
 */
import { headerValue, type HeaderList } from '../../../wire/http1/message.ts'

export type Device = 'phone' | 'tablet' | 'desktop'

const TABLET = /ipad|tablet|kindle|playbook|silk(?!.*mobile)|android(?!.*mobile)/i
const PHONE = /mobi|iphone|ipod|windows phone|blackberry|bb10|webos|opera mini/i

/** Classes by User-Agent, since few of them make most requests. A long one is looked at anew. */
const known = new Map<string, Device>()
const KNOWN_MAX = 1024
const KNOWN_LENGTH_MAX = 512
/** So far a User-Agent is read: expressions with `.*` go over it more than once. */
const READ_MAX = 1024

export function deviceOf(headers: HeaderList): Device {
  const agent = headerValue(headers, 'user-agent') ?? ''
  const byAgent = agent.length > KNOWN_LENGTH_MAX ? classOf(agent.slice(0, READ_MAX)) : remembered(agent)
  if (byAgent !== 'desktop') return byAgent
  return headerValue(headers, 'sec-ch-ua-mobile')?.trim() === '?1' ? 'phone' : 'desktop'
}

function remembered(agent: string): Device {
  let device = known.get(agent)
  if (device === undefined) {
    device = classOf(agent)
    if (known.size >= KNOWN_MAX) known.clear()
    known.set(agent, device)
  }
  return device
}

function classOf(agent: string): Device {
  if (TABLET.test(agent)) return 'tablet'
  return PHONE.test(agent) ? 'phone' : 'desktop'
}
