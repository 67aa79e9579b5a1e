"""The explorer: a run in the browser, where a person looks, labels and corrects."""
