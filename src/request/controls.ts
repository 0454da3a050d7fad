/** Whether a text holds a control character (Unicode category Cc: C0, DEL and C1), unfit to log, compare or forward. */
export function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}
