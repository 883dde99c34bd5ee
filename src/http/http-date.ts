/** The date as HTTP writes it (RFC 9110 §5.6.7), made once a second. */
let second = -1
let text = ''

export function httpDate(nowMs: number): string {
  const current = Math.floor(nowMs / 1000)
  if (current !== second) {
    second = current
    text = new Date(current * 1000).toUTCString()
  }
  return text
}
