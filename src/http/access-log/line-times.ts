/** Times as logs write them, cheaply: what changes once a second is made once a second. */

const TWO = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))
const THREE = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'))
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

let isoSecond = -1
let isoText = ''
let isoMs = -1
let isoWhole = ''

/** `"2026-11-26T10:54:40.123Z"`, in its quotes. Under load a millisecond holds dozens of requests. */
export function isoTime(nowMs: number): string {
  if (nowMs !== isoMs) {
    const second = Math.floor(nowMs / 1000)
    if (second !== isoSecond) {
      isoSecond = second
      isoText = new Date(second * 1000).toISOString().slice(0, 20)
    }
    isoMs = nowMs
    isoWhole = `"${isoText}${THREE[Math.floor(nowMs - second * 1000)]}Z"`
  }
  return isoWhole
}

let localSecond = -1
let localText = ''

/** `26/Nov/2026:10:54:40 +0000`, in the time zone of the machine, as nginx and Apache write it. */
export function localTime(nowMs: number): string {
  const second = Math.floor(nowMs / 1000)
  if (second !== localSecond) {
    localSecond = second
    const date = new Date(second * 1000)
    const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
    const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
    localText = `${day}:${time} ${zone(-date.getTimezoneOffset())}`
  }
  return localText
}

function zone(minutes: number): string {
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
}

const two = (n: number): string => TWO[n]!

/** Milliseconds to the microsecond: `12.345`. To print a fraction as JavaScript does costs several times as much. */
export function milliseconds(ms: number): string {
  const us = Math.round(ms * 1000)
  if (!(us > 0)) return '0'
  const whole = Math.floor(us / 1000)
  return `${whole}.${THREE[us - whole * 1000]}`
}
