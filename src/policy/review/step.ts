/** One step of an explanation: whether a call passes it, and what would satisfy it. */
type StepName = "path" | "route" | "credentials" | "token" | "revocation" | "scopes" | "resources" | "conditions";

export interface Step {
  readonly step: StepName;
  readonly passed: boolean;
  readonly detail: string;
  /** What was taken for granted and not looked at. */
  readonly assumed?: true;
  /** What would satisfy it: for scopes the alternatives, each a list of which every one is needed. */
  readonly needs?: unknown;
}
