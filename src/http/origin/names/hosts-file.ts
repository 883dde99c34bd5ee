/**
 * The names that this machine knows by itself, from `/etc/hosts`: they count before those of DNS, as everywhere else.
 *
 * Read here because Node's DNS client, which tells the TTL of an answer, does not look into the file.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

const PATH = '/etc/hosts'

/** The addresses of a name; none where the file does not have it. */
export function addressesInHosts(name: string, text: string = readHosts()): string[] {
  const wanted = name.toLowerCase()
  const addresses = new Set<string>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (isIP(address) !== 0 && names.some((one) => one.toLowerCase() === wanted)) addresses.add(address)
  }
  return [...addresses]
}

function readHosts(): string {
  try {
    return readFileSync(PATH, 'utf8')
  } catch {
    return ''
  }
}
