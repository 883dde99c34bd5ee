/** Keys as `named.conf` and `tsig-keygen` write them: `key "name" { algorithm hmac-sha256; secret "…"; };`. */

export interface FileKey {
  readonly name: string
  readonly secret: string
  readonly algorithm: string | undefined
}

/** A file that has something else in it. */
export class KeyFileError extends Error {}

const TOKENS = /\s+|#[^\n]*|\/\/[^\n]*|\/\*[^]*?\*\/|"([^"\n]*)"|([{};])|([^\s{};"]+)/gy

/** Throws a `KeyFileError` that says in which line something is wrong. */
export function keysOf(text: string): FileKey[] {
  const tokens = tokensOf(text)
  const keys: FileKey[] = []
  let at = 0
  const last = { text: 'the end of the file', line: text.split('\n').length, isWord: false }
  const next = () => tokens[at++] ?? last
  const fail = (token: Token, wanted: string): never => {
    throw new KeyFileError(`line ${token.line}: expected ${wanted}, and found ${token.text}`)
  }
  const expect = (wanted: string): void => {
    const token = next()
    if (token.text !== wanted) fail(token, `"${wanted}"`)
  }
  const word = (wanted: string): string => {
    const token = next()
    return token.isWord ? token.text : fail(token, wanted)
  }
  while (at < tokens.length) {
    expect('key')
    const name = word('the name of a key')
    expect('{')
    let secret: string | undefined
    let algorithm: string | undefined
    for (let token = next(); token.text !== '}'; token = next()) {
      if (token.text === 'secret') secret = word('a secret')
      else if (token.text === 'algorithm') algorithm = word('an algorithm')
      else fail(token, 'algorithm, secret or "}"')
      expect(';')
    }
    if (secret === undefined) throw new KeyFileError(`the key "${name}" has no secret`)
    expect(';')
    keys.push({ name, secret, algorithm })
  }
  return keys
}

interface Token {
  readonly text: string
  readonly line: number
  readonly isWord: boolean
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  let end = 0
  for (const match of text.matchAll(TOKENS)) {
    const [whole, inQuotes, mark, plain] = match
    end = match.index + whole.length
    const token = inQuotes ?? mark ?? plain
    if (token !== undefined) tokens.push({ text: token, line, isWord: mark === undefined })
    line += whole.split('\n').length - 1
  }
  if (end < text.length) throw new KeyFileError(`line ${line}: a quote is not closed on its line`)
  return tokens
}
