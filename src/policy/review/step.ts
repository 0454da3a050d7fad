/** One step of an explanation: whether a call passes it, and what would satisfy it. */
type StepName = "path" | "route" | "credentials" | "token" | "revocation" | "scopes" | "resources" | "conditions";

export interface Step {
  readonly step: StepName;
  readonly passed: boolean;
  readonly detail: string;
  /** What was taken for granted and not looked at. */
  readonly assumed?: true;
  /** What would satisfy it: for scopes the alternatives, each a list of which every one is needed. */
  readonly needs?: string | readonly (string | readonly string[] | ConditionCheck)[];
}

export interface ConditionCheck {
  /** `route`, `token`, or the scope's name. */
  readonly of: string;
  readonly condition: string;
  readonly holds: boolean;
  /** What holds it, in words. */
  readonly wants: string;
}
