/** What of a request decides where it goes, as `hashOn` says. Where a request does not have it, the client does. */
import type { OriginRequest } from '../../../contract/origin.ts'
import { headerValue } from '../../../wire/http1/message.ts'

export function hashKey(hashOn: string): (request: OriginRequest) => string {
  if (hashOn === 'url') return ({ target }) => target
  if (hashOn === 'path') return ({ target }) => pathOf(target)
  if (hashOn === 'client') return clientOf
  const [kind, name = ''] = hashOn.split(':')
  if (kind === 'header') {
    const lower = name.toLowerCase()
    return (request) => headerValue(request.headers, lower) ?? clientOf(request)
  }
  return (request) => cookieValue(request, name) ?? clientOf(request)
}

const clientOf = ({ client }: OriginRequest): string => client?.address ?? ''

function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

function cookieValue({ headers }: OriginRequest, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue
    for (const pair of headers[i + 1]!.split(';')) {
      const equals = pair.indexOf('=')
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
  }
  return undefined
}
