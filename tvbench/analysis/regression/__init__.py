"""Is a run worse than a baseline? The words of an answer, the baseline in one small file, the tests, the policy."""
