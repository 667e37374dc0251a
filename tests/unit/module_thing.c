/* What a module of test_module has. */
extern const char thing[];

const char thing[] = "here";
